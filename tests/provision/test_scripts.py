from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import demo, local_daemon

DAEMON = Path(sys.executable).with_name("embedder-daemon")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Let the scripts start the daemon of the light interpreter, with the hash engine, and stop it in the end."""
    monkeypatch.setattr(local_daemon, "PROGRAM", DAEMON)
    monkeypatch.setattr(local_daemon, "RUN", tmp_path)
    monkeypatch.setattr(local_daemon, "PID_FILE", tmp_path / "daemon.pid")
    monkeypatch.setattr(local_daemon, "LOG_FILE", tmp_path / "daemon.log")
    monkeypatch.setenv("EMBEDDER_ENGINE", "hash")
    with tempfile.TemporaryDirectory(prefix="mm") as folder:  # a short path, as sockets need
        yield f"unix:{folder}/run/e.sock"
        local_daemon.stop()


def test_run_starts_one_daemon_and_stop_ends_it(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The second run finds the first one's daemon; stop ends it, and then there is nothing to stop."""
    process = local_daemon.ensure(address)
    assert process is not None
    pid = local_daemon.PID_FILE.read_text(encoding="ascii")
    assert local_daemon.is_serving(address)
    assert local_daemon.ensure(address) is None
    assert "serves" in capsys.readouterr().out.splitlines()[-1]
    assert local_daemon.PID_FILE.read_text(encoding="ascii") == pid
    assert local_daemon.stop() == f"the daemon (process {pid.strip()}) has ended"
    assert process.wait() == 0
    assert local_daemon.is_serving(address) is None
    assert local_daemon.stop() == "there is no daemon of `make run` to stop"


def test_a_daemon_that_dies_is_told_with_its_last_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a daemon that ended; its own words are the reason."""
    monkeypatch.setenv("EMBEDDER_ENGINE", "nonsense")
    with pytest.raises(local_daemon.DaemonError, match=r"ended with exit code [1-9].*nonsense"):
        local_daemon.ensure(address)
    assert not local_daemon.PID_FILE.exists()


def test_stop_spares_a_process_that_took_the_number(address: str) -> None:
    """A stale pid file may name somebody else's process."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        local_daemon.PID_FILE.write_text(f"{other.pid}\n", encoding="ascii")
        assert local_daemon.stop() == "there is no daemon of `make run` to stop"
        os.kill(other.pid, 0)
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


@pytest.mark.parametrize("pair", demo.PAIRS, ids=lambda pair: pair.question)
def test_the_demos_questions_share_no_content_word(pair: demo.Pair) -> None:
    """Only the meaning can find the memory."""
    assert not demo.content_words(pair.memory) & demo.content_words(pair.question)


def test_words_that_share_a_stem_count_as_shared() -> None:
    """The demo's own check would notice an inflection."""
    assert demo.content_words("She programs at night") & demo.content_words("What did she programme?")
