"""The user unit: checked by systemd's own program, and run on a replica that hears what the daemon tells."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import SystemRunner
from memory_mcp.provision.service import Job
from memory_mcp.provision.systemd import UNIT, SystemdUnit, render
from scripts.local_daemon import is_serving
from tests.fakes.supervisor import Systemd
from tests.provision.conftest import make_program
from tests.provision.test_launchd import DAEMON, until

ODD_NAMES = (
    *("a b", "a$HOME", "a`id`", "it's", 'q"q', "back\\slash\\n", "per%h%%", "new\nline", "tab\tx", "größe", "a;b&c<d>"),
    *("${X}", "#x", "a=b", "*?[", "\u2028x", "trailing "),
)
ODD = 'a "quoted" 100% $HOME \\ back'


@pytest.fixture
def system() -> Iterator[Systemd]:
    """Start a replica of the user's systemd, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as folder:
        system = Systemd(Path(folder))
        yield system
        system.close()


def make_job(folder: Path, program: Path = DAEMON, **environment: str) -> Job:
    """Return a job of the hash engine."""
    variables = {"EMBEDDER_ADDRESS": f"unix:{folder}/run/e.sock", "EMBEDDER_ENGINE": "hash"} | environment
    return Job(program, variables, folder / "logs")


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    """`systemd-analyze verify` knows every key and value, also where paths hold what a unit's syntax means."""
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("there is no systemd-analyze here")
    (tmp_path / "bin").mkdir()
    program = make_program(tmp_path / "bin" / "embedder 100% $x", "#!/bin/sh\n")
    (tmp_path / UNIT).write_bytes(render(make_job(tmp_path, program, EMBEDDER_MODEL=ODD)))
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = [analyze, "--user", "verify", str(tmp_path / UNIT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_program_of_any_name_is_started(name: str, system: Systemd, tmp_path: Path) -> None:
    """Systemd finds nothing wrong, we read back what we wrote, and neither it nor a shell expands anything."""
    (folder := tmp_path / name).mkdir()
    program = make_program(folder / "embedder-daemon", '#!/bin/sh\nprintf %s "$1 $WORD" > "$OUT"\n')
    job = Job(program, {"WORD": f"{name}$HOME", "OUT": str(folder / "out"), "EMBEDDER_ADDRESS": "x"}, tmp_path)
    unit = SystemdUnit(system, system.folder)
    unit.file.write_bytes(render(job))
    assert (unit.program(), unit.environment()) == (program, job.environment)
    if analyze := shutil.which("systemd-analyze"):
        environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        command = [analyze, "--user", "verify", str(unit.file)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    unit.start()
    until(lambda: (folder / "out").exists() and (folder / "out").read_text(), "it ran")
    assert (folder / "out").read_text() == f"--supervised {name}$HOME"


def test_the_rendered_unit_says_what_systemd_needs(tmp_path: Path) -> None:
    """Readiness, restarts and limits stand in it, and what means something in a unit is written twice or escaped."""
    text = render(make_job(tmp_path, Path("/opt/a 100%/$x"), EMBEDDER_MODEL=ODD)).decode()
    unit = SystemdUnit(SystemRunner(), tmp_path)
    assert (unit.program(), unit.environment()) == (None, {})
    unit.file.write_text(text, encoding="utf-8")
    assert unit.program() == Path("/opt/a 100%/$x")
    assert unit.environment()["EMBEDDER_MODEL"] == ODD
    assert 'ExecStart="/opt/a 100%%/$x" --supervised\n' in text
    assert 'Environment="EMBEDDER_MODEL=a \\"quoted\\" 100%% $HOME \\\\ back"\n' in text
    for line in ("Type=notify", "Restart=on-failure", "TimeoutStopSec=20", "NoNewPrivileges=yes", "UMask=0077"):
        assert f"\n{line}\n" in text
    assert not [line for line in text.splitlines() if "@" in line and not line.startswith("#")]


def test_it_tells_when_it_listens_lives_and_stops(system: Systemd) -> None:
    """READY comes when it listens, WATCHDOG again and again, STOPPING when it drains; a crash is restarted."""
    unit = SystemdUnit(system, system.folder)
    job = make_job(system.folder)
    unit.install(job)
    address = job.environment["EMBEDDER_ADDRESS"]
    until(lambda: "READY=1" in system.heard, "it is ready")
    until(lambda: is_serving(address), "it serves")
    assert system.enabled == {UNIT}
    pid = unit.process()
    assert pid is not None
    assert system.unit is not None
    until(lambda: system.heard.count("WATCHDOG=1") > 2, "it is alive")
    os.kill(pid, signal.SIGKILL)
    until(lambda: system.unit is not None and len(system.unit.runs) == 2, "it was restarted")
    until(lambda: is_serving(address), "it serves again")
    assert "STOPPING=1" not in system.heard
    unit.restart()
    until(lambda: is_serving(address), "it serves after a restart")
    assert "STOPPING=1" in system.heard
    assert unit.stop()
    assert not unit.stop()
    assert unit.uninstall()
    assert not unit.file.exists()
    assert system.enabled == set()
    assert not unit.uninstall()
    with pytest.raises(ProvisionError, match="run `memory-mcp daemon install`"):
        unit.start()


def test_a_twin_is_not_ready_while_it_waits(system: Systemd) -> None:
    """While another daemon holds the lock, the unit's status says for whom it waits; then it is ready."""
    job = make_job(system.folder)
    by_hand = subprocess.Popen([DAEMON], env=os.environ | job.environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_serving(job.environment["EMBEDDER_ADDRESS"]), "it serves")
        SystemdUnit(system, system.folder).install(job)
        until(lambda: f"STATUS=waiting for process {by_hand.pid} to end" in system.heard, "it waits")
        assert "READY=1" not in system.heard
        by_hand.terminate()
        assert by_hand.wait(60) == 0
        until(lambda: "READY=1" in system.heard, "it is ready")
    finally:
        by_hand.kill()
        by_hand.wait()


def test_without_systemd_it_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No systemctl, or one that reaches no systemd of the user, is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not SystemdUnit(SystemRunner()).fits
    make_program(tmp_path / "systemctl", "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n")
    assert not SystemdUnit(SystemRunner()).fits
    make_program(tmp_path / "systemctl", "#!/bin/sh\nexit 0\n")
    assert SystemdUnit(SystemRunner()).fits
