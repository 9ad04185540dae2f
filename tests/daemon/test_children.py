"""What the daemon and its children import, where they start, and what is told of one that failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from embedder_daemon import settings
from embedder_daemon.system import child_process
from embedder_daemon.system.child_process import ChildError
from memory_common.reasons import LIMIT, reason
from tests.daemon import modelfiles
from tests.daemon.daemonkit import ROOT, set_traps, until

TRAPS = ("random", "secrets", "calendar", "asyncio", "json", "typing", "venv", "torch", "grpc", "pydantic")
SCRIPT = Path(sys.executable).with_name("embedder-daemon")


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """Make a folder of modules that nobody may import."""
    return set_traps(tmp_path / "my home", TRAPS)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let logs go to a folder of this test's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_a_child_imports_nothing_from_here(traps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the working folder nor from PYTHONPATH, and no other PYTHON variable changes what it does."""
    monkeypatch.chdir(traps)
    for name, value in (("PATH", str(traps)), ("OPTIMIZE", "2"), ("WARNINGS", "error"), ("INSPECT", "1")):
        monkeypatch.setenv(f"PYTHON{name}", value)
    assert "settings" in json.loads(child_process.run("print_settings", timeout_s=60.0))
    assert not (traps / "sprung").exists()


@pytest.mark.parametrize("program", [[str(SCRIPT)], [sys.executable, "-m", "embedder_daemon"]], ids=["script", "-m"])
def test_the_daemon_starts_among_traps_and_leaves(program: list[str], traps: Path, folder: Path) -> None:
    """A random.py in the folder that it is started in is not imported, and that folder can be deleted while it runs."""
    log = folder / "log"
    command = [*program, "--engine", "hash", "--address", f"unix:{folder}/e.sock"]
    with log.open("wb") as out, subprocess.Popen(command, cwd=traps, stderr=out) as process:
        try:
            until(lambda: "READY" in log.read_text() or process.poll() is not None, "it serves")
            assert process.poll() is None, log.read_text()
            if Path("/proc/self/cwd").exists():
                assert Path(f"/proc/{process.pid}/cwd").readlink() == Path("/")
        finally:
            process.terminate()
    assert process.returncode == 0
    assert not (traps / "sprung").exists()


def test_the_daemon_starts_where_its_folder_is_gone(folder: Path) -> None:
    """A shell may stand in a folder that was deleted; only what is relative to it cannot be had."""
    gone, log = folder / "gone", folder / "log"
    script = f'mkdir "{gone}" && cd "{gone}" && rmdir "{gone}" && exec "$@"'
    command = ["sh", "-c", script, "sh", str(SCRIPT), "--engine", "hash", "--address", f"unix:{folder}/e.sock"]
    done = subprocess.run([*command, "--log-file", "log"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "the working folder is gone" in done.stderr) == (2, True)
    with log.open("wb") as out, subprocess.Popen(command, stderr=out) as process:
        try:
            until(lambda: "READY" in log.read_text() or process.poll() is not None, "it serves")
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()


def test_a_models_folder_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found from the folder that the daemon is started in, and from / afterwards."""
    model = modelfiles.write(folder / "model")
    monkeypatch.chdir(folder)
    assert settings.load(["--model", "model"]).model == str(model)
    assert settings.load(["--model", "./model"]).model == str(model)
    assert settings.load(["--model", "owner/name"]).model == "owner/name"
    monkeypatch.chdir(ROOT)
    assert settings.load(["--model", "model"]).model == "model"


def test_folders_in_variables_stay_what_they_were(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the libraries' variables name from the working folder is found when the daemon has left it."""
    monkeypatch.chdir(folder)
    for name, value in (("HF_HOME", "hub"), ("HF_HUB_CACHE", "~/hub"), ("XDG_CACHE_HOME", "/cache")):
        monkeypatch.setenv(name, value)
    settings.leave_working_folder()
    assert Path.cwd() == Path("/")
    found = [os.environ[name] for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME")]
    assert found == [str(folder / "hub"), "~/hub", "/cache"]


def test_all_that_a_failed_child_wrote_is_kept(logs: Path) -> None:
    """The message is the whole exception, and names the file; a sentence of ours needs none."""
    with pytest.raises(
        ChildError, match=r"^ModuleNotFoundError: No module named 'torch' \(the whole output is in .*\)$"
    ):
        child_process.run("engines.convert", timeout_s=60.0)
    kept = child_process.log_file("engines.convert")
    assert kept.is_relative_to(logs)
    assert "Traceback" in kept.read_text()
    with pytest.raises(ChildError, match=r"/nowhere") as caught:
        child_process.run("resolve_model", "/nowhere", timeout_s=60.0)
    assert "all it wrote" not in str(caught.value)


def test_a_log_that_cannot_be_kept_hides_no_reason(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, or in a home that cannot be written."""
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    with pytest.raises(ChildError, match=r"^ModuleNotFoundError: No module named 'torch'$"):
        child_process.run("engines.convert", timeout_s=60.0)


TIMEOUT_S = 2.0
RUNS = """
import sys
from embedder_daemon.system import child_process
sys.executable = sys.argv[1]
print(child_process.run("anything", timeout_s=float(sys.argv[2])).strip())
"""


def test_time_in_which_both_are_frozen_does_not_count(folder: Path) -> None:
    """A container that is paused, or a stopped process group, takes no time from its children; slowness does."""
    program, started, go = folder / "python", folder / "started", folder / "go"
    program.write_text(f'#!/bin/sh\necho > "{started}"\nuntil test -e "{go}"; do sleep 0.05; done\necho done\n')
    program.chmod(0o700)
    command = [sys.executable, "-c", RUNS, str(program), str(TIMEOUT_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            until(started.exists, "the child runs")
            os.killpg(process.pid, signal.SIGSTOP)
            until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "both are frozen")
            late = time.monotonic() + 1.1 * TIMEOUT_S
            until(lambda: time.monotonic() > late, "the clock went past the end of the child's time")
            go.touch()
            os.killpg(process.pid, signal.SIGCONT)
            assert process.communicate(timeout=60.0)[0] == "done\n"
        finally:
            process.kill()


def test_a_child_that_takes_too_long_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended by force, and nothing of it is left."""
    program, pid = folder / "python", folder / "pid"
    program.write_text(f'#!/bin/sh\necho $$ > "{pid}"\nexec sleep 60\n')
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(subprocess.TimeoutExpired, match=r"after 1\.0 seconds"):
        child_process.run("anything", timeout_s=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    f()\n    ^^^\n'
IGNORED = f"Exception ignored in: <function X.__del__ at 0x7f>\n{TRACEBACK}AttributeError: late\n"
LOGGED = "TypeError: x\nCall stack:\n  File \"x.py\", line 1, in <module>\nMessage: '%d'\nArguments: ('a',)\n"
WARNING = "/usr/lib/my python/tempfile.py:1053: ResourceWarning: Implicitly cleaning up\n  _warn()\n"
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "x.py", line 1, in <module>
  |     raise many
  | ExceptionGroup: many (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "x.py", line 1, in <module>
    |     f()
    |     ^^^
    | ValueError: a
    | b
    +---------------- 2 ----------------
    | KeyError: 1
    +------------------------------------
"""
CRASH = """Fatal Python error: Segmentation fault

Thread 0x00007f (most recent call first):
  File "a.py", line 1 in f

Current thread 0x00007e (most recent call first):
  File "b.py", line 2 in g

Extension modules: numpy.core._multiarray_umath (total: 1)
"""


@pytest.mark.parametrize(
    ("written", "code", "told"),
    [
        ("one\ntwo\n", 1, "two"),
        ("", 3, "it exited with code 3 and no output"),
        (" \n\n", 1, "it exited with code 1 and no output"),
        ("", -9, "killed by SIGKILL, as the system does when memory runs out"),
        ("loading\n", -11, "loading killed by SIGSEGV"),
        ("noise\n" + TRACEBACK + "ValueError: a\n  b\n\nc\n", 1, "ValueError: a b c"),
        (
            TRACEBACK + "KeyError: 1\n\nDuring handling of …:\n\n" + TRACEBACK + "a.b.Error: two\nlines\n",
            1,
            "a.b.Error: two lines",
        ),
        (TRACEBACK + "KeyboardInterrupt\n", 1, "KeyboardInterrupt"),
        (TRACEBACK + "my-pkg.Error: a hyphen\n", 1, "my-pkg.Error: a hyphen"),
        (TRACEBACK + "ValueError: disk full\n" + IGNORED, 1, "ValueError: disk full"),
        (IGNORED + TRACEBACK + "ValueError: disk full\n" + IGNORED, 1, "ValueError: disk full"),
        ("no such model\n" + IGNORED, 1, "no such model"),
        (IGNORED, 1, "AttributeError: late"),
        ("no such model\nException in thread T-1:\n" + TRACEBACK + "KeyError: 1\n", 1, "no such model"),
        ("no such model\nException ignored in: <stdout>\nBrokenPipeError: [Errno 32]\n", 1, "no such model"),
        ("no such model\n--- Logging error ---\n" + TRACEBACK + LOGGED, 1, "no such model"),
        (TRACEBACK + "OSError: no room\n" + WARNING, 1, "OSError: no room"),
        ("no such model\n" + WARNING + "sys:1: ResourceWarning: unclosed\n", 1, "no such model"),
        (WARNING, 1, "_warn()"),
        (GROUP, 1, "ExceptionGroup: many (2 sub-exceptions) ValueError: a b KeyError: 1"),
        (GROUP + IGNORED + WARNING, 1, "ExceptionGroup: many (2 sub-exceptions) ValueError: a b KeyError: 1"),
        (GROUP + "\nDuring handling of …:\n\n" + TRACEBACK + "OSError: no room\n", 1, "OSError: no room"),
        (CRASH, -11, "Fatal Python error: Segmentation fault killed by SIGSEGV"),
        (
            TRACEBACK + "OSError: no room\n" + CRASH,
            -11,
            "OSError: no room Fatal Python error: Segmentation fault killed by SIGSEGV",
        ),
        ("Collecting x\nERROR: no x\nERROR: none\nERROR: no x\nWARNING: old\n", 1, "no x none"),
    ],
)
def test_the_reason_is_the_message_and_not_its_last_line(written: str, code: int, told: str) -> None:
    """An exception's whole message, pip's errors, a signal's name, or else the last line."""
    assert reason(written, code) == told


def test_a_reason_has_an_end() -> None:
    """However long the message is; foreign programs are given some lines."""
    assert len(reason("x" * 10_000, 1)) == LIMIT
    assert reason("a\nb\nc\nd\n", 1, 3) == "b c d"
