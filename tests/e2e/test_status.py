"""`memory-mcp status`: what there is, at a glance and live, whatever is broken."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.daemonkit import Process, until
from tests.e2e.client import PATIENCE_S, RawClient
from tests.e2e.conftest import FRONT
from tests.e2e.forking import Forks
from tests.fakes.daemon import FakeDaemon

WIDE = {"COLUMNS": "200"}


@pytest.fixture
def daemon_process(folder: Path) -> Iterator[Process]:
    """Start a real daemon."""
    process = Process(folder, "--engine", "hash", HOME=str(folder)).ready()
    yield process
    process.popen.kill()
    process.popen.communicate()


@pytest.fixture
def status(forks: Forks, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forks.text(["status", *arguments], environment | WIDE)

    return run


async def test_all_is_told(
    daemon_process: Process, client: RawClient, status: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The store's figures, the daemon, its space and its counters, in words and as JSON; the code is 0."""
    await client.tool("memory_store", content="one")
    await client.tool("memory_store", content="two", namespace="there")
    done = await asyncio.to_thread(status, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], done.stderr) == (0, "ok", "")
    assert (told["store"]["memories"], told["store"]["namespaces"], told["queue"]["pending"]) == (2, 2, 0)
    assert told["store"]["bytes"] > 10_000
    daemon = told["daemon"]
    assert (daemon["state"], daemon["engine"], daemon["space_id"][:9]) == ("serving", "hash", "hash-384-")
    assert daemon["counters"]["rows"] == daemon["counters"]["interactive_texts"] == 2
    shown = await asyncio.to_thread(status)
    assert shown.returncode == 0
    assert "2 memories in 2 namespaces" in shown.stdout
    assert daemon["space_id"] in shown.stdout
    assert "padding waste" not in shown.stdout  # it is 0
    assert re.search(r"texts\W+2\W+0\W", shown.stdout)


def test_a_daemon_that_does_not_answer_is_told(
    daemon_process: Process, status: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Where it is stopped, nobody waits for it: the code is 3, and the fix is named."""
    daemon_process.popen.send_signal(signal.SIGSTOP)
    shown = status()
    assert (shown.returncode, "does not answer" in shown.stdout, shown.stderr) == (3, True, "")
    assert "Fix: look at the daemon's log (`memory-mcp daemon logs`)" in shown.stdout


def test_a_store_that_cannot_be_read_is_told(
    folder: Path, status: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The code is 1, and the sentence is the store's."""
    (folder / "memory.db").write_bytes(b"no database " * 1_000)
    done = status()
    assert (done.returncode, "cannot be read" in done.stdout, done.stderr) == (1, True, "")
    assert "restore" in done.stdout


@pytest.mark.parametrize("reading", [["status"], ["list"], ["search", "x"], ["export", "-"]])
def test_who_reads_makes_no_store(environment: dict[str, str], folder: Path, reading: list[str]) -> None:
    """Where there is none it is said, nothing is found, and no file is made, not even beside what a moved one left."""
    done = _run(environment, *reading)
    assert (done.returncode in {0, 3}, "there is no store" in done.stdout + done.stderr) == (True, True)
    assert list(folder.iterdir()) == []
    (folder / "memory.db-wal").write_bytes(b"what was written last")
    done = _run(environment, *reading)
    assert (done.returncode, "but its side files exist" in done.stdout + done.stderr) == (1, True)
    assert [path.name for path in folder.iterdir()] == ["memory.db-wal"]


def test_a_pipe_gets_a_line_for_each_thing(environment: dict[str, str], daemon_process: Process) -> None:
    """However narrow: tabs between the cells, no frames, nothing wrapped."""
    daemon_process.embed("a text")
    done = _run(environment | {"COLUMNS": "40"}, "status")
    names = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert names[:4] == ["status", "store", "daemon", "lane"]
    assert {"texts", "rows"} <= set(names)
    rows = [line.split("\t")[1:] for line in done.stdout.splitlines()]
    assert ["0"] not in rows  # a fraction may be rounded to 0.00
    assert ["0", "0"] not in rows
    assert all("\t" in line for line in done.stdout.splitlines())


def test_all_of_it_fits_a_small_terminal(environment: dict[str, str], daemon_process: Process) -> None:
    """Of 80 columns and 24 lines, with every counter that a pipe gets."""
    del daemon_process
    controlling, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with subprocess.Popen(
        [FRONT, "status", "--watch"], env=environment | {"TERM": "xterm"}, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        seen = bytearray()
        reader = threading.Thread(target=_read, args=(controlling, seen), daemon=True)
        reader.start()
        until(lambda: b"since the daemon started" in seen, "the table is shown")
        process.send_signal(signal.SIGINT)
    reader.join(PATIENCE_S)
    os.close(controlling)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen.decode())
    piped = _run(environment, "status").stdout.splitlines()
    for name in [line.partition("\t")[0] for line in piped]:
        assert name in shown
    assert "..." not in shown  # by which rich says that there is more


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FRONT, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


async def test_each_look_is_a_line_of_json(daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """--watch --json goes on until Ctrl-C, which ends it with the last look's code and no word."""
    del daemon
    process = await asyncio.create_subprocess_exec(
        FRONT,
        *("status", "--watch", "--json", "--every", "0.1"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            assert json.loads(await process.stdout.readline())["status"] == "ok"
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


def test_a_terminal_shows_it_live(daemon_process: Process, environment: dict[str, str]) -> None:
    """The counters move while one watches; Ctrl-C gives the cursor back and ends with the code."""
    controlling, terminal = pty.openpty()
    process = subprocess.Popen(
        [FRONT, "status", "--watch", "--every", "0.1"],
        env=environment | WIDE | {"TERM": "xterm-256color", "LINES": "60"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = bytearray()
    reader = threading.Thread(target=_read, args=(controlling, seen), daemon=True)
    reader.start()
    until(lambda: b"since the daemon started" in seen, "the table is shown")
    daemon_process.embed("a new text")
    until(lambda: b"(+1)" in seen, "a counter has moved")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 0
    reader.join(PATIENCE_S)
    assert seen.count(b"\x1b[?25h") == 1
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"Traceback" not in seen
    os.close(controlling)


def _read(terminal: int, seen: bytearray) -> None:
    """Read a terminal until nobody writes to it any more."""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:
            return
        if not part:
            return
        seen.extend(part)
