from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from memory_common.pins import TORCH
from memory_mcp import cli, settings
from memory_mcp.cli import daemon, serving
from memory_mcp.domain.errors import MemoryMcpError, SettingsError
from memory_mcp.provision import builds, code, environment, installed, troubles
from memory_mcp.provision.environment import HOMEBREW
from memory_mcp.provision.launchd import LaunchAgent
from memory_mcp.provision.process import SystemRunner, beside
from memory_mcp.provision.recipe import Recipe
from memory_mcp.provision.systemd import SystemdUnit
from memory_mcp.provision.versions import Versions
from tests.daemon import modelfiles
from tests.fakes.supervisor import Launchd
from tests.provision.conftest import make_program
from tests.provision.fakes import QuickPip
from tests.provision.test_launchd import until

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("run", "test", "test-model", "test-slow", "check", "bench", "setup", "protos", "stop", "clean", "help")


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
        (["daemon", "install", "--no-service", "--python", "./python3"], 1, f"no program {ROOT}/python3"),
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


def say(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run a command and return what it printed."""
    assert cli.run(["daemon", *arguments]) == code, capsys.readouterr().err
    printed = capsys.readouterr()
    return printed.out if code in {0, 3} else printed.err


def test_without_a_service(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment is built and proved; a second run is idle; what cannot be done is one sentence."""
    runner = QuickPip(SystemRunner())
    monkeypatch.setattr(daemon, "SystemRunner", lambda: runner)
    monkeypatch.setattr(daemon, "find_service", lambda _: None)
    place = home / ".local" / "share" / "memory-mcp" / "daemon"
    assert "memory-mcp daemon start" not in say(capsys, "status", code=3)
    assert f"not installed in {place}: run `memory-mcp daemon install`" in say(capsys, "start", code=1)
    out = say(capsys, "install")
    assert "not using Homebrew's PyTorch" in out
    assert "it serves: " in out
    assert f"the daemon's environment {place} is ready" in out
    assert out.splitlines()[2:6] == [
        f"creating {place}-1 with Python {sys.version.split()[0]}",
        f"looking for PyTorch {TORCH}",
        "installing the daemon's packages, checked against their hashes",
        f"installing PyTorch (torch=={TORCH})",
    ]
    assert "start the daemon with `memory-mcp daemon start --no-service`" in out
    runner.commands.clear()
    assert say(capsys, "install", "--no-service") == f"the daemon's environment {place} is up to date\n"
    assert runner.commands == []
    assert "no service runs the daemon; run `memory-mcp daemon install`" in say(capsys, "start", code=1)
    assert f"`memory-mcp daemon install --venv {place}-1`" in say(capsys, "start", "--venv", f"{place}-1", code=1)
    assert "`memory-mcp daemon restart --no-service`" in say(capsys, "restart", code=1)
    assert "launchd or systemd runs no daemon, so there is no log" in say(capsys, "logs", code=1)
    assert "unreachable" in say(capsys, "status", code=3)
    assert say(capsys, "stop") == "no daemon is running\n"
    assert "no earlier environment" in say(capsys, "install", "--rollback", code=1)


def test_a_daemon_that_does_not_serve_leaves_its_log(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failed proof has the daemon's own reason, and the log that it names is there."""
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner()))
    monkeypatch.setenv("EMBEDDER_IDLE_UNLOAD_S", "never")
    err = say(capsys, "install", "--no-service", code=1)
    log = Versions(installed.default_place()).log
    assert "the daemon is not serving: " in err
    assert "idle_unload_s: Input should be a valid number" in err
    assert err.endswith(f"(its log is {log})\n")
    assert "idle_unload_s" in log.read_text(encoding="utf-8")
    monkeypatch.delenv("EMBEDDER_IDLE_UNLOAD_S")
    say(capsys, "install", "--no-service")
    assert "removed " in say(capsys, "uninstall")
    assert not log.exists()


def test_cuda_where_nothing_can_use_it_is_asked_for(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody to ask is a no, in one sentence with the size and both ways out; --yes is a yes."""
    if sys.platform != "linux":
        pytest.skip("elsewhere there is no build with CUDA")
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner(), torch_needs="nvidia-cublas"))
    monkeypatch.setattr(builds, "_DEVICES", ())
    err = say(capsys, "install", "--no-service", code=1)
    assert err.count("\n") == 1
    for words in ("5.4 GB instead of 1.8 GB", "no NVIDIA device", "PIP_EXTRA_INDEX_URL", "accept it with --yes"):
        assert words in err
    assert "is ready" in say(capsys, "install", "--no-service", "--yes")


def test_with_launchd(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On macOS the daemon is installed, serves, is looked at, ended, started, replaced and removed; memories stay."""
    system = Launchd()
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(system))
    agent = LaunchAgent(system, platform="darwin", home=home)
    monkeypatch.setattr(daemon, "find_service", lambda _: agent)
    monkeypatch.setattr(daemon, "user_log_path", lambda _: home / "Logs")
    try:
        out = say(capsys, "install")
        assert f"launchd now runs the daemon, and starts it at every login ({agent.file})" in out
        assert "has embedded a test text: " in out
        data = home / ".local" / "share" / "memory-mcp"
        (data / "memory.db").touch()
        (job,) = system.jobs.values()
        told = json.loads(say(capsys, "status", "--json"))
        assert told["daemon"]["state"] == "serving"
        assert told["process"] == told["service"]["process"] == job.pid
        assert told["environment"] == {"place": str(data / "daemon"), "folder": str(data / "daemon-1")}
        assert told["trouble"] == ""
        say(capsys, "logs", "-n", "5")
        assert "has embedded a test text" in say(capsys, "restart")
        assert [run.code for run in job.runs] == [0, None]
        check_another_codes_daemon_is_replaced(monkeypatch, capsys)
        assert say(capsys, "stop") == "the daemon has stopped\n"
        assert "unreachable" in say(capsys, "status", code=3)
        assert "has embedded a test text" in say(capsys, "start")
        assert f"removed {agent.file}" in say(capsys, "uninstall", "--keep-environment")
        assert (data / "daemon").exists()
        out = say(capsys, "uninstall")
        assert "launchd has no service for the daemon\n" in out
        assert f"removed {data / 'daemon'}" in out
        assert sorted(path.name for path in data.iterdir() if path.suffix != ".lock") == [
            "embedder.sock.batch",
            "memory.db",
        ]
    finally:
        system.close()


def test_the_service_knows_its_place(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `--venv` the other commands find it; variables stay; a place to go back to serves with its own code."""
    system, place = Launchd(), home / "my place" / "venv"
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(system))
    agent = LaunchAgent(system, platform="darwin", home=home)
    monkeypatch.setattr(daemon, "find_service", lambda _: agent)
    monkeypatch.setattr(daemon, "user_log_path", lambda _: home / "Logs")
    monkeypatch.setenv("EMBEDDER_THREADS", "1")
    try:
        say(capsys, "install", "--venv", str(place))
        monkeypatch.delenv("EMBEDDER_THREADS")
        assert json.loads(say(capsys, "status", "--json"))["environment"]["place"] == str(place)
        assert "EMBEDDER_THREADS=1" in say(capsys, "install")
        assert agent.environment()["EMBEDDER_THREADS"] == "1"
        check_what_was_gone_back_to_serves(place, monkeypatch, capsys)
        with Versions(place).locked():
            assert "another `daemon install` is building" in say(capsys, "uninstall", code=1)
        assert f"removed {place}" in say(capsys, "uninstall")
    finally:
        system.close()


def check_what_was_gone_back_to_serves(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upgrade to other packages and go back: restart keeps the old ones, and install takes what was built."""
    with monkeypatch.context() as newer:
        newer.setattr(code, "key", lambda: "f" * 64)
        newer.setattr(Recipe, "digest", lambda _: "others")
        for module in (installed, environment, troubles):
            newer.setattr(module, "pins_digest", lambda _: "others")
        assert f"{place} now points to venv-2" in say(capsys, "install")
        assert f"{place} points to venv-1 again" in say(capsys, "install", "--rollback")
        assert "copying" not in say(capsys, "restart")
        say(capsys, "status")
        assert f"using {place}-2, an earlier build" in say(capsys, "install")


def test_uninstall_ends_what_runs_and_names_what_stays(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that was started by hand ends with its environment; a service that does not answer is told first."""
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner()))
    monkeypatch.setattr(daemon, "find_service", lambda _: None)
    say(capsys, "install")
    unit = SystemdUnit(SystemRunner())
    unit.file.parent.mkdir(parents=True)
    unit.file.touch()
    assert f"{unit.file} starts the daemon at login" in say(capsys, "uninstall", code=1)
    unit.file.unlink()
    program = installed.require(Versions(installed.default_place())).program
    with (home / "log").open("wb") as log, beside(str(program), log=log) as by_hand:
        address = settings.load().embedder_address
        serving.until_serving(address)
        out = say(capsys, "uninstall")
        assert by_hand.wait(60) == 0
    assert f"stopped the daemon at {address}" in out
    assert "embedder.sock.lock" in out


def test_doctor_and_status_name_the_same_command(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with the environment: after an upgrade of memory-mcp or of Python, or when it is not whole."""
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner()))
    for module in (daemon, installed):
        monkeypatch.setattr(module, "find_service", lambda _: None)
    place = home / "my place" / "daemon"

    def commands() -> tuple[str, str]:
        status = json.loads(say(capsys, "status", "--venv", str(place), "--json", code=3))
        assert cli.run(["doctor", "--venv", str(place), "--json", "--seconds", "20"]) in {1, 3}
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert checks["daemon"] == status["daemon"]
        found = checks["interpreter"] if checks["interpreter"]["fix"] else checks["daemon"]
        assert status["trouble"].endswith(f": run `{found['fix']}`")
        return str(found["fix"]), str(status["trouble"])

    install = f"memory-mcp daemon install --venv '{place}'"
    assert commands() == (install, f"the daemon is not installed in {place}: run `{install}`")
    say(capsys, "install", "--venv", str(place), "--no-service")
    with monkeypatch.context() as newer:
        newer.setattr(code, "key", lambda: "f" * 64)
        assert commands()[0] == f"memory-mcp daemon restart --no-service --venv '{place}'"
        newer.setattr(troubles, "pins_digest", lambda _: "others")
        assert commands()[0] == install
    built = installed.require(Versions(place))
    next(built.site_packages.glob("torch.py")).unlink()
    assert commands()[0] == install
    built.write_stamp({})
    assert commands()[0] == install
    built.python.unlink()
    assert commands() == (
        install,
        f"the daemon's interpreter {built.python} is gone, as after brew upgrade: run `{install}`",
    )


def check_another_codes_daemon_is_replaced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Upgrade memory-mcp: status names the command, and restart brings the new code; other packages want install."""
    with monkeypatch.context() as newer:
        newer.setattr(code, "key", lambda: "f" * 64)
        assert "belongs to another memory-mcp: run `memory-mcp daemon restart`" in say(capsys, "status", code=3)
        assert "copying the daemon's code" in say(capsys, "restart")
        say(capsys, "status")
        for module in (installed, troubles):
            newer.setattr(module, "pins_digest", lambda _: "others")
        assert "built for another memory-mcp: run `memory-mcp daemon install`" in say(capsys, "status", code=3)
        newer.setattr(code, "key", lambda: "e" * 64)
        assert "lacks packages that this memory-mcp needs" in say(capsys, "restart", code=1)
    say(capsys, "restart")


def test_one_started_by_hand_is_named_and_replaced(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`install` says whose daemon serves, and `restart` puts launchd's in its place."""
    system = Launchd()
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(system))
    monkeypatch.setattr(daemon, "find_service", lambda _: LaunchAgent(system, platform="darwin", home=home))
    monkeypatch.setattr(daemon, "user_log_path", lambda _: home / "Logs")
    say(capsys, "install", "--no-service")
    command = [sys.executable, "-m", "memory_mcp", "daemon", "start", "--no-service"]
    by_hand = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        serving.until_serving(settings.load().embedder_address)
        assert f"that is process {by_hand.pid}, which launchd did not start" in say(capsys, "install")
        assert "that is process" not in say(capsys, "restart")
        assert by_hand.wait(60) == 0
        (job,) = system.jobs.values()
        assert [run.code for run in job.runs][-1] is None
        say(capsys, "stop")
    finally:
        by_hand.kill()
        by_hand.wait()
        system.close()


def test_what_brew_upgrade_moved_is_told_by_the_daemon(
    home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log and `status` name the command; where the engine needs what is gone, that is why it fails."""
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner()))
    say(capsys, "install", "--no-service")
    environment = installed.require(Versions(installed.default_place()))
    record = {"torch": "2.12.1", "site_packages": "/opt/homebrew/nowhere"}
    (environment.folder / HOMEBREW).write_text(json.dumps(record), encoding="utf-8")
    told = "not in /opt/homebrew/nowhere any more, as after `brew upgrade`: run `memory-mcp daemon install`"
    log = home / "log"
    with log.open("wb") as out, beside(str(environment.program), log=out):
        serving.until_serving(settings.load().embedder_address)
        assert told in say(capsys, "status", code=3)
    assert told in log.read_text(encoding="utf-8")
    command = [str(environment.program), "--engine", "torch", "--model", str(modelfiles.write(home / "model"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 14
    assert told in done.stderr.splitlines()[-1]


def test_restart_in_the_foreground_takes_over(home: Path, fake_model: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no system runs it, the new one ends the old one and serves in its place."""
    monkeypatch.setattr(daemon, "SystemRunner", lambda: QuickPip(SystemRunner()))
    assert cli.run(["daemon", "install", "--no-service"]) == 0
    address, lives = settings.load().embedder_address, list[subprocess.Popen[bytes]]()
    try:
        for verb in ("start", "restart"):
            command = [sys.executable, "-m", "memory_mcp", "daemon", verb, "--no-service"]
            lives.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
            until(lambda: installed.holder(address) == lives[-1].pid, f"{verb} holds the lock")
            serving.until_serving(address)
        assert lives[0].wait(60) == 0
        assert installed.end_holder(address)
        assert lives[-1].wait(60) == 0
        assert not installed.end_holder(address)
    finally:
        for life in lives:
            life.kill()
            life.wait()


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
        ('case "$3" in *ensurepip*) exit 1;; *) echo 3.12.1;; esac', "cannot create virtual environments"),
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
