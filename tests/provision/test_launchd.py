"""The LaunchAgent, on a replica of launchd that starts the daemon from the very plist."""

from __future__ import annotations

import os
import plistlib
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import embedder_pb2, embedder_pb2_grpc

from memory_mcp.provision import launchd, service
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.launchd import LABEL, LaunchAgent, render
from memory_mcp.provision.service import Job
from scripts.local_daemon import is_serving
from tests.fakes.supervisor import Launchd, Supervised
from tests.provision.conftest import make_program

KEYS = {
    # What launchd.plist(5) says of each key that we use.
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "RunAtLoad": bool,
    "KeepAlive": dict,  # or a boolean
    "ProcessType": str,  # Background, Standard, Adaptive or Interactive
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "Umask": int,  # "a string in octal or an integer in decimal"
    "StandardOutPath": str,
    "StandardErrorPath": str,
}
KEEP_ALIVE = {"SuccessfulExit": bool}
DAEMON = Path(sys.executable).with_name("embedder-daemon")
WAIT_S = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds, and fail by its name when it does not in time."""
    give_up, pause = time.monotonic() + WAIT_S, threading.Event()
    while not condition():
        assert time.monotonic() < give_up, f"not in time: {what}"
        pause.wait(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def system() -> Iterator[Launchd]:
    """Start a replica of launchd."""
    system = Launchd(hurry=20)
    yield system
    system.close()


@pytest.fixture
def agent(system: Launchd, folder: Path) -> LaunchAgent:
    """Return the agent of a user whose home is the folder."""
    return LaunchAgent(system, platform="darwin", home=folder)


def make_job(folder: Path, program: Path = DAEMON, **environment: str) -> Job:
    """Return a job of the hash engine."""
    variables = {"EMBEDDER_ADDRESS": f"unix:{folder}/run/e.sock", "EMBEDDER_ENGINE": "hash"} | environment
    return Job(program, variables, folder / "Logs" / "memory-mcp")


def logged(job: Job) -> str:
    """Return what the daemon wrote to both files that the plist names."""
    files = [job.logs / name for name in (service.LOG_NAME, launchd.STDERR_NAME)]
    return "".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def loaded(system: Launchd) -> Supervised:
    """Return the one job."""
    (job,) = system.jobs.values()
    return job


def test_the_rendered_plist_says_what_launchd_needs(tmp_path: Path) -> None:
    """Every key, every value, nothing left to fill in, also with letters that XML escapes."""
    program = tmp_path / "Application Support & more" / "embedder-daemon"
    job = Job(program, {"EMBEDDER_ADDRESS": "unix:/tmp/e.sock", "EMBEDDER_MODEL": "/a/model"}, tmp_path)
    content = render(job)
    plist = plistlib.loads(content)
    assert plist["Label"] == LABEL
    assert plist["ProgramArguments"] == [str(program), "--supervised"]
    assert plist["EnvironmentVariables"] == {
        "EMBEDDER_LOG_FILE": str(tmp_path / "embedder.log"),
        "EMBEDDER_ADDRESS": "unix:/tmp/e.sock",
        "EMBEDDER_MODEL": "/a/model",
    }
    assert plist["RunAtLoad"] is True
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    assert plist["ProcessType"] == "Interactive"
    assert (plist["ThrottleInterval"], plist["ExitTimeOut"]) == (10, 20)
    assert plist["Umask"] == 0o077
    assert plist["StandardErrorPath"] == plist["StandardOutPath"] == str(tmp_path / "embedder-stderr.log")
    assert b"@" not in content


def test_every_key_is_one_of_launchds(tmp_path: Path) -> None:
    """No key is unknown to launchd.plist(5), and each has the type that is written there."""
    plist = plistlib.loads(render(make_job(tmp_path)))
    assert plist.keys() <= KEYS.keys()
    assert {key: type(value) for key, value in plist.items()} == {key: KEYS[key] for key in plist}
    assert {key: type(value) for key, value in plist["KeepAlive"].items()} == KEEP_ALIVE
    assert plist["ProcessType"] in {"Background", "Standard", "Adaptive", "Interactive"}
    words = [*plist["ProgramArguments"], *plist["EnvironmentVariables"], *plist["EnvironmentVariables"].values()]
    assert all(isinstance(word, str) for word in words)
    assert Path(plist["ProgramArguments"][0]).is_absolute()


def test_install_replaces_and_uninstall_removes(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """Installing twice keeps one job; uninstalling removes it and its file, and is content with nothing."""
    first, second = make_job(folder), make_job(folder, EMBEDDER_THREADS="1")
    system.disabled.add(f"gui/{os.getuid()}/{LABEL}")  # as `launchctl disable` leaves it
    agent.install(first)
    assert (agent.program(), agent.environment()) == (first.program, dict(first.environment))
    agent.install(second)
    assert list(system.jobs) == [f"gui/{os.getuid()}/{LABEL}"]
    assert agent.file == folder / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    assert plistlib.loads(agent.file.read_bytes())["EnvironmentVariables"]["EMBEDDER_THREADS"] == "1"
    assert first.logs.is_dir()
    assert agent.uninstall()
    assert not system.jobs
    assert not agent.file.exists()
    assert not agent.uninstall()
    with pytest.raises(ProvisionError, match="run `memory-mcp daemon install`"):
        agent.start()


def test_a_file_that_cannot_be_written_costs_no_job(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """The error is one sentence, and the job that is there stays."""
    agent.install(make_job(folder))
    agent.file.unlink()
    agent.file.mkdir()
    with pytest.raises(ProvisionError, match="cannot be written"):
        agent.install(make_job(folder))
    assert loaded(system).runs
    (folder / "taken").touch()
    with pytest.raises(ProvisionError, match="cannot be created"):
        agent.install(Job(DAEMON, {}, folder / "taken" / "logs"))


def test_it_lives_from_the_plist_alone(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """In a bare environment it serves without forking, its files are private, and a clean end is no crash."""
    job = make_job(folder)
    agent.install(job)
    address = job.environment["EMBEDDER_ADDRESS"]
    until(lambda: is_serving(address), "it serves")
    pid = loaded(system).pid
    assert pid is not None
    assert agent.process() == pid
    assert (folder / "run" / "e.sock.lock").read_text(encoding="ascii") == f"{pid}\n"
    assert stat.S_IMODE((job.logs / launchd.STDERR_NAME).stat().st_mode) == 0o600
    os.kill(pid, signal.SIGTERM)
    until(lambda: loaded(system).runs[0].code is not None, "it ended")
    assert [run.code for run in loaded(system).runs] == [0]
    assert agent.process() is None
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)  # it was the leader of its group, and left nobody behind
    agent.start()
    until(lambda: is_serving(address), "it serves again")
    agent.start()
    assert len(loaded(system).runs) == 2


def test_a_crash_is_restarted(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """SIGKILL is followed by a new process, which takes the stale socket's place."""
    job = make_job(folder)
    agent.install(job)
    until(lambda: is_serving(job.environment["EMBEDDER_ADDRESS"]), "it serves")
    first = loaded(system).pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: len(loaded(system).runs) == 2, "it was restarted")
    until(lambda: is_serving(job.environment["EMBEDDER_ADDRESS"]), "it serves again")
    assert loaded(system).runs[0].code == -signal.SIGKILL


def test_a_twin_waits_and_takes_over(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """A daemon that was started by hand keeps its socket; launchd's waits, and serves when the other one ends."""
    job = make_job(folder)
    by_hand = subprocess.Popen([DAEMON], env=os.environ | job.environment, stderr=subprocess.DEVNULL)
    try:
        address = job.environment["EMBEDDER_ADDRESS"]
        until(lambda: is_serving(address), "it serves")
        socket = (folder / "run" / "e.sock").stat().st_ino
        agent.install(job)
        until(lambda: "waiting to take over" in logged(job), "the twin waits")
        assert (folder / "run" / "e.sock").stat().st_ino == socket
        by_hand.terminate()
        assert by_hand.wait(WAIT_S) == 0
        until(lambda: is_serving(address), "the twin serves")
        assert [run.code for run in loaded(system).runs] == [None]
    finally:
        by_hand.kill()
        by_hand.wait()


def test_sigterm_under_load_answers_what_runs(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """`bootout` while calls run: they are answered, and the process ends by itself with 0."""
    system.hurry = 1
    job = make_job(folder)
    agent.install(job)
    address = job.environment["EMBEDDER_ADDRESS"]
    until(lambda: is_serving(address), "it serves")
    answers: list[int] = []
    with grpc.insecure_channel(address) as channel:
        stub = embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        texts = ["many words to hash " * 60 + str(number) for number in range(256)]

        def call() -> None:
            answers.append(len(stub.Embed(embedder_pb2.EmbedRequest(texts=texts, truncate=True), timeout=WAIT_S).items))

        calls = [threading.Thread(target=call) for _ in range(3)]
        for thread in calls:
            thread.start()
        until(lambda: stub.Stats(embedder_pb2.StatsRequest()).interactive.requests == 3, "they run")
        assert agent.stop()
        for thread in calls:
            thread.join(WAIT_S)
    assert answers == [256, 256, 256]
    (run,) = system.ended[-1].runs
    assert (run.code, run.killed) == (0, False)


def test_what_ignores_sigterm_is_killed(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """After ExitTimeOut launchd kills, and the job is gone all the same."""
    ready = folder / "ready"
    deaf = make_program(folder / "deaf", f"#!/bin/sh\ntrap '' TERM\ntouch {ready}\nwhile :; do sleep 0.1; done\n")
    agent.install(make_job(folder, deaf))
    until(ready.exists, "it ignores SIGTERM")
    assert agent.uninstall()
    assert system.ended[-1].runs[-1].killed


def test_restart_waits_for_the_end_of_the_old_one(system: Launchd, agent: LaunchAgent, folder: Path) -> None:
    """The old process has drained and ended with 0 before the new one is started, which is not throttled."""
    system.hurry = 1
    agent.install(make_job(folder))
    until(lambda: is_serving(f"unix:{folder}/run/e.sock"), "it serves")
    agent.restart()
    assert [run.code for run in loaded(system).runs] == [0, None]


def test_a_job_that_stays_is_told(agent: LaunchAgent, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for launchd is bounded and ends with the command to try."""
    agent.install(make_job(folder))
    monkeypatch.setattr(service, "STOP_SECONDS", 0.0)
    monkeypatch.setattr(Launchd, "_bootout", lambda *_: "")
    with pytest.raises(ProvisionError, match="launchctl bootout"):
        agent.uninstall()
    monkeypatch.undo()
