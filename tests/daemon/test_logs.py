"""The daemon's log: where it goes, how it rotates, and what it says of a call that fails."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import embedder_pb2

from embedder_daemon import logs
from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.engines.hash_engine import HashEngine
from memory_common import log_lines
from tests.daemon.daemonkit import WAIT_S, FaultyEngine, Process, serving, until

Start = Callable[..., Process]
METADATA = (
    ("memory-mcp-request-id", "r" * 32),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)


class Broken(HashEngine):
    """Its tokenizer quotes what it cannot read, in an exception with a past."""

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Raise."""
        cause = OSError(28, f"no space for {texts[0]}")
        raise ExceptionGroup(texts[0], [ValueError(f"quotes {texts[0]}")]) from cause


def parsed(text: str) -> list[dict[str, object]]:
    """Return the lines of a log."""
    return [json.loads(line) for line in text.splitlines()]


async def test_a_call_that_fails_is_named_and_not_quoted(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The line has the request's id, its trace, the kinds of the errors and where they came from, and no text."""
    logs.configure("info", "json")  # on the stderr that is captured here
    async with serving(folder, Broken) as client:
        request = embedder_pb2.EmbedRequest(texts=["confidential"])
        with pytest.raises(grpc.aio.AioRpcError):
            await client.stub.Embed(request, timeout=WAIT_S, metadata=METADATA)
    [line] = [line for line in parsed(capfd.readouterr().err) if line["event"] == "a call failed"]
    assert (line["request_id"], line["trace_id"]) == ("r" * 32, "4bf92f3577b34da6a3ce929d0e0e4736")
    told = str(line["exception"])
    assert all(kind in told for kind in ("OSError ENOSPC", "ExceptionGroup", "ValueError", "in encode"))
    assert "confidential" not in json.dumps(line)


async def test_a_batch_that_fails_names_its_calls(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A forward pass belongs to several calls: the line names the requests of all of them."""
    logs.configure("info", "json")  # on the stderr that is captured here
    async with serving(folder, FaultyEngine) as client:
        for name in ("one", "two"):
            request = embedder_pb2.EmbedRequest(texts=[f"please raise {name}"])
            await client.stub.Embed(request, timeout=WAIT_S, metadata=(("memory-mcp-request-id", name),))
    failures = [line for line in parsed(capfd.readouterr().err) if line["event"] == "a forward pass failed"]
    assert [line["request_ids"] for line in failures] == [["one"], ["two"]]


def test_the_log_file_is_private(start: Start, folder: Path) -> None:
    """The lines go there and not to stderr; file and folder are for the user alone, whatever the umask says."""
    file = folder / "logs" / "embedder.log"
    process = start("--engine", "hash", EMBEDDER_LOG_FILE=str(file))
    until(lambda: file.exists() and "READY" in file.read_text(), "READY in the file")
    assert process.stop() == 0
    assert [line["event"] for line in parsed(file.read_text())] == ["listening", "READY", "stopping"]
    assert process.lines() == []
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_a_log_file_that_cannot_be_written_is_named(start: Start, folder: Path) -> None:
    """It is wrong usage, in one line."""
    (folder / "file").touch()
    process = start("--engine", "hash", "--log-file", str(folder / "file" / "e.log"))
    assert process.wait() == 2
    assert len(process.lines()) == 1
    assert "log_file: " in process.lines()[0]


@pytest.mark.parametrize(
    ("wanted", "on_a_terminal", "elsewhere"),
    [("auto", "colours", "json"), ("json", "json", "json"), ("console", "colours", "console")],
)
def test_lines_look_as_is_wanted(wanted: str, on_a_terminal: str, elsewhere: str) -> None:
    """Where nothing is said, people get what they can read, and programs JSON."""
    assert log_lines.style_of(wanted, terminal=True) == on_a_terminal
    assert log_lines.style_of(wanted, terminal=False) == elsewhere


def test_the_log_file_rotates(folder: Path) -> None:
    """A few files of bounded size stay, each private; lines of libraries are among them, in the same format."""
    file = folder / "e.log"
    file.touch(mode=0o644)
    try:
        logs.configure("info", "json", file=file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for number in range(13):
            logs.get().info("large", number=number, filling="x" * (logs.FILE_BYTES // 2))
        logging.getLogger("some.library").warning("warned")
    finally:
        logs.configure("info", "json")
    files = sorted(folder.glob("e.log*"))
    assert len(files) == 1 + logs.FILES_KEPT
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert all(path.stat().st_size <= logs.FILE_BYTES for path in files)
    latest = parsed(file.read_text())
    assert (latest[-1]["event"], latest[-1]["level"]) == ("warned", "warning")
    assert latest[-2]["number"] == 12
