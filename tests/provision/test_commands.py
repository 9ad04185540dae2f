from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from memory_mcp import cli, settings
from memory_mcp.cli import daemon
from memory_mcp.domain.errors import MemoryMcpError, SettingsError
from memory_mcp.provision import environment, source
from memory_mcp.provision.launchd import LaunchAgent
from tests.provision.conftest import make_program
from tests.provision.fakes import FakeLaunchctl, FakePython

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("run", "test", "test-model", "test-slow", "check", "bench", "setup", "protos", "stop", "clean", "help")


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a home folder whose path is short enough for a socket in it, which pytest's own need not be."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def memory_mcp(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with a home of its own."""
    ours = ("MCP_MEMORY_", "EMBEDDER_", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "memory_mcp", *arguments],
        env=environment | {"HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_version_and_help_need_no_heavy_import(home: Path) -> None:
    """`--version` answers without the SDK, gRPC, pydantic or a command's module."""
    assert re.fullmatch(r"memory-mcp, version \S+\n", memory_mcp("--version", home=home).stdout)
    code = (
        "import sys, memory_mcp.__main__\n"
        "heavy = {'mcp', 'grpc', 'pydantic', 'apsw', 'memory_mcp.settings', 'memory_mcp.cli.daemon'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["daemon", "install", "--nonsense"], 2, "nonsense"),
        (["daemon", "install", "--no-service", "--python", "/nowhere/python"], 1, "no program /nowhere/python"),
        (["daemon", "uninstall", "--venv", str(ROOT)], 1, "was not built by memory-mcp"),
    ],
)
def test_errors_are_one_line(home: Path, arguments: list[str], code: int, message: str) -> None:
    """Wrong usage is exit code 2, a failure 1, and both are one line on stderr."""
    done = memory_mcp(*arguments, home=home)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("memory-mcp: ")
    assert message in done.stderr


def test_debug_shows_the_traceback(home: Path) -> None:
    """Only --debug shows where a failure comes from."""
    done = memory_mcp("--debug", "daemon", "install", "--no-service", "--python", "/nowhere/python", home=home)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "no program /nowhere/python" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryMcpError("it broke\nbadly"), 1), (SettingsError("a wrong setting"), 2)]
)
def test_exit_codes_of_our_own_errors(
    error: MemoryMcpError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that does not fit is wrong usage; a message of several lines becomes one."""

    def fail(**overrides: object) -> None:
        raise error

    monkeypatch.setattr(settings, "load", fail)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # run() replaces it
    assert cli.run(["daemon", "install"]) == code
    assert capsys.readouterr().err == f"memory-mcp: {' '.join(str(error).split())}\n"


def test_an_unexpected_failure_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Even a bug shows no traceback unless it is asked for."""
    cli._one_line(ValueError, ValueError("oops"), None)
    assert capsys.readouterr().err == "memory-mcp: unexpected ValueError: oops; `memory-mcp --debug …` shows where\n"


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`memory-mcp` alone is wrong usage and shows the commands."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert cli.run([]) == 2
    assert "daemon" in capsys.readouterr().err


def test_uninstall_of_nothing_says_so(tmp_path: Path) -> None:
    """It is no failure that there is nothing to remove."""
    done = CliRunner().invoke(cli.commands, ["daemon", "uninstall", "--venv", str(tmp_path / "absent")])
    assert done.exit_code == 0
    assert "there is no environment" in done.output


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakePython:
    """Let `daemon install` make a tiny environment, in a system without settings of ours."""
    runner = FakePython()
    monkeypatch.setattr(daemon, "SystemRunner", lambda: runner)
    monkeypatch.setattr(source, "checkout", lambda: None)
    monkeypatch.setattr(environment, "MODEL_DIGESTS", {})
    monkeypatch.setattr(daemon, "default_venv", lambda: tmp_path / "daemon")
    monkeypatch.setattr(daemon, "user_log_path", lambda _: tmp_path / "logs")
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("MCP_MEMORY_CONFIG", str(tmp_path / "empty.toml"))
    monkeypatch.setenv("MCP_MEMORY_USE_HOMEBREW_PYTORCH", "0")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return runner


def test_install_where_there_is_no_service(
    runner: FakePython, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment is built beside the data, and the program to start by hand is named; a second run is idle."""
    monkeypatch.setattr(daemon, "launch_agent", lambda _: LaunchAgent(FakeLaunchctl(), platform="linux"))
    assert cli.run(["daemon", "install"]) == 0
    out = capsys.readouterr().out
    assert "Homebrew's PyTorch is forbidden" in out
    assert f"the daemon's environment {tmp_path / 'daemon'} is ready" in out
    assert f"by hand with {tmp_path / 'daemon' / 'bin' / 'embedder-daemon'}" in out
    runner.commands.clear()
    assert cli.run(["daemon", "install", "--no-service"]) == 0
    assert capsys.readouterr().out == f"the daemon's environment {tmp_path / 'daemon'} is up to date\n"
    assert runner.commands == []


def test_install_and_uninstall_with_launchd(
    runner: FakePython, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On macOS the LaunchAgent comes and goes with the environment; what else lies there stays."""
    launchctl = FakeLaunchctl()
    agent = LaunchAgent(launchctl, platform="darwin", home=tmp_path)
    monkeypatch.setattr(daemon, "launch_agent", lambda _: agent)
    (tmp_path / "memory.db").touch()
    assert cli.run(["daemon", "install"]) == 0
    assert launchctl.loaded
    assert agent.file.exists()
    assert cli.run(["daemon", "uninstall", "--keep-environment"]) == 0
    assert not launchctl.loaded
    assert (tmp_path / "daemon").exists()
    assert cli.run(["daemon", "uninstall"]) == 0
    out = capsys.readouterr().out
    assert "the LaunchAgent is removed\n" in out
    assert "there is no LaunchAgent\n" in out
    assert not (tmp_path / "daemon").exists()
    assert (tmp_path / "memory.db").exists()


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder, as if no other make had started these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """Make a checkout of the Makefile and what it reads, without any environment."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_help_lists_every_target(bare_checkout: Path) -> None:
    """`make` alone lists the targets of the design and needs no environment for it."""
    listed = set(re.findall(r"^  make (\S+)", make(bare_checkout).stdout, re.MULTILINE))
    assert listed >= {*TARGETS, "launchd-install", "launchd-uninstall"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 3.9.6", "is Python 3.9.6: install 3.11 or newer"),
        ("exit 1", "there is no working Python"),
        ('case "$2" in *ensurepip*) exit 1;; *) echo 3.12.1;; esac', "cannot make virtual environments"),
    ],
)
@pytest.mark.parametrize("target", ["test", "run", "setup"])
def test_a_missing_prerequisite_is_one_line(bare_checkout: Path, script: str, message: str, target: str) -> None:
    """Nothing is made before the prerequisites were found fit."""
    python = make_program(bare_checkout / "fake-python", f"#!/bin/sh\n{script}\n")
    before = sorted(bare_checkout.iterdir())
    done = make(bare_checkout, target, f"PYTHON={python}")
    assert done.returncode == 2  # make's own code for a recipe that failed
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(ours) == 1
    assert message in ours[0]
    assert done.stdout == ""
    assert sorted(bare_checkout.iterdir()) == before


def test_stop_without_a_daemon_is_one_line(bare_checkout: Path) -> None:
    """There is nothing to stop, and that is no failure."""
    done = make(bare_checkout, "stop")
    assert (done.returncode, done.stdout) == (0, "there is no daemon of `make run` to stop\n")
