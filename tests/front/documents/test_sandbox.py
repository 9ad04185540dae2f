from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import psutil
import pytest

from memory_mcp.documents.opening import open_below, open_content
from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.control import ReadingLimits
from memory_mcp.documents.sandbox.process import SandboxError
from tests.front.documents import attempts
from tests.front.documents.sandboxes import (
    HERE,
    SOON_S,
    begun,
    boxed,
    has_ended,
    items,
    reader_processes,
    refusal,
    text,
    until,
)

AS_ANY_USER: Final = (
    "fork",
    "execute",
    "read-passwords",
    "make-pair-of-sockets",
    "map-executable-memory",
    "write-file",
)
"""Attempts that succeed without a box whoever makes them, in whatever container."""


async def test_reads_a_document() -> None:
    """A document's items arrive as its reader yielded them, with the media type that its sender gave."""
    async with boxed() as sandbox:
        with open_content("Grüße\n".encode()) as file:
            found = [item async for item in sandbox.read(file, "text", "text/x-greeting")]
    assert found == [Header(title="text", media_type="text/x-greeting"), TextBlock("Grüße\n")]


async def test_refuses_every_attempt_to_break_out() -> None:
    """Nothing outside can be read, written, asked, signalled, started or reached from within the box."""
    async with boxed("attempts:read") as sandbox:
        outcomes = {name: await outcome(sandbox, name) for name in attempts.ATTEMPTS}
    assert len(outcomes) > 30
    assert {name: how for name, how in outcomes.items() if how != "refused"} == {}


async def test_attempts_get_through_without_a_box() -> None:
    """The attempts are real: without the box most succeed, or the kernel looks at their arguments."""
    async with boxed("no_box:read", unsandboxed=True) as sandbox:
        assert await text(sandbox, "read-passwords") == "got through"
        outcomes = {name: await outcome(sandbox, name) for name in AS_ANY_USER}
    assert [name for name, how in outcomes.items() if how == "refused"] == []


async def outcome(sandbox: Sandbox, name: str) -> str:
    """Return how an attempt went; one that replaced or ended its process got through as well."""
    try:
        return await text(sandbox, name)
    except RefusedError:
        return "got through"


async def test_a_reader_that_waits_for_ever_is_stopped() -> None:
    """A reader that uses no processor is killed when the front has waited long enough."""
    async with boxed(limits=ReadingLimits(wait_s=0.2)) as sandbox:
        assert (await refusal(sandbox, "sleep")).refusal is Refusal.OUT_OF_TIME
        (process,) = reader_processes()
        await until(lambda: not process.children())


async def test_the_environment_is_empty() -> None:
    """No variable of the front reaches a reader; what is there, Python sets itself."""
    async with boxed() as sandbox:
        assert await text(sandbox, "environment") in {"{}", "{'LC_CTYPE': 'C.UTF-8'}"}


async def test_a_long_block_arrives_in_pieces() -> None:
    """A text too long for one frame becomes several blocks, cut between words, and nothing is lost."""
    async with boxed() as sandbox:
        blocks = [item.text for item in await items(sandbox, "long") if isinstance(item, TextBlock)]
    assert "".join(blocks) == "word " * 300_000
    assert len(blocks) > 1
    assert all(block.endswith(" ") for block in blocks)


async def test_leaving_kills_the_child() -> None:
    """A caller that stops early, as a cancelled job does, leaves no child behind."""
    async with boxed() as sandbox:
        with open_content(b"x") as file:
            async with aclosing(sandbox.read(file, "flood")) as found:
                await anext(found)
        (process,) = reader_processes()
        await until(lambda: not process.children())
        assert await text(sandbox, "text") == "some text"


async def test_cancelling_kills_the_child() -> None:
    """A cancelled task takes its document's child with it."""
    async with boxed() as sandbox:
        reading = await begun(sandbox, items(sandbox, "sleep"))
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        (process,) = reader_processes()
        await until(lambda: not process.children())


async def test_a_dead_reader_process_is_replaced() -> None:
    """When the reader process dies, its document is refused and the next starts another."""
    async with boxed() as sandbox:
        reading = await begun(sandbox, refusal(sandbox, "sleep"))
        (process,) = reader_processes()
        children = process.children()
        process.kill()
        assert (await reading).refusal is Refusal.READER_DIED
        assert await text(sandbox, "text") == "some text"
        await until(lambda: all(map(has_ended, children)))


async def test_documents_are_read_at_once() -> None:
    """One document that takes long does not keep another waiting."""
    async with boxed() as sandbox:
        slow = await begun(sandbox, items(sandbox, "sleep"))
        assert await text(sandbox, "text") == "some text"
        slow.cancel()


async def test_an_idle_reader_process_ends() -> None:
    """After a while without documents the memory is given back, and the next document starts a process again."""
    async with boxed(idle_s=0.01) as sandbox:
        assert await text(sandbox, "text") == "some text"
        await until(lambda: not reader_processes())
        assert await text(sandbox, "text") == "some text"


async def test_the_end_of_the_sandbox_ends_its_process() -> None:
    """Leaving the sandbox ends the reader process, even in the middle of a document."""
    async with boxed() as sandbox:
        reading = await begun(sandbox, items(sandbox, "sleep"))
    assert reader_processes() == []
    with pytest.raises(RefusedError):
        await reading


async def test_nothing_runs_before_the_first_document() -> None:
    """The reader process is started when it is needed."""
    async with boxed():
        assert reader_processes() == []


async def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """A file that changed since it was opened is refused, whatever was read of it; opened again it is read."""
    path = tmp_path / "text"
    path.write_text("first", encoding="utf-8")
    async with boxed() as sandbox:
        with open_below([tmp_path], path) as file:
            path.write_text("first and second", encoding="utf-8")
            with pytest.raises(RefusedError) as caught:
                [item async for item in sandbox.read(file, "text")]
        with open_below([tmp_path], path) as file:
            assert TextBlock("first and second") in [item async for item in sandbox.read(file, "text")]
    assert caught.value.refusal is Refusal.CHANGED


async def test_a_file_that_grows_for_ever_is_refused(tmp_path: Path) -> None:
    """Reading does not follow what a writer appends: it ends at once, with the reason."""
    path = tmp_path / "text"
    path.write_bytes(b"x" * 1000)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab") as out:
            while not stop.is_set():
                out.write(b"y" * 100_000)
                out.flush()
                os.ftruncate(out.fileno(), min(os.fstat(out.fileno()).st_size, 50_000_000))

    async with boxed() as sandbox:
        with open_below([tmp_path], path) as file:
            writer = threading.Thread(target=grow)
            writer.start()
            try:
                await until(lambda: not file.is_unchanged())
                found: list[DocumentItem] = []
                with pytest.raises(RefusedError) as caught:
                    await into(found, sandbox.read(file, "text"))
            finally:
                stop.set()
                writer.join()
    assert caught.value.refusal is Refusal.CHANGED
    assert [len(item.text) for item in found if isinstance(item, TextBlock)] == [1000]


async def into(found: list[DocumentItem], source: AsyncIterator[DocumentItem]) -> None:
    async for item in source:
        found.append(item)  # noqa: PERF401 - what came before an error is wanted


async def test_without_a_box_nothing_is_read() -> None:
    """Where the system cannot refuse the network, documents are refused with the setting that allows them."""
    async with boxed("no_filter:read") as sandbox:
        with pytest.raises(SandboxError, match="MCP_MEMORY_INGEST_UNSANDBOXED=1"):
            await text(sandbox, "text")
    async with boxed("no_filter:read", unsandboxed=True) as sandbox:
        assert await text(sandbox, "text") == "some text"


async def test_missing_readers_are_named() -> None:
    """Without the extra, the error names it."""
    async with boxed("not_there:read") as sandbox:
        with pytest.raises(SandboxError, match=r"not_there.*install memory-mcp\[documents\]"):
            await text(sandbox, "text")


FRONT: Final = """
import asyncio, sys
from pathlib import Path
from memory_mcp.documents.opening import open_content
from memory_mcp.documents.sandbox.client import Sandbox

async def main():
    async with Sandbox(reader="hostile:read", folders=[Path(sys.argv[1])]) as sandbox:
        with open_content(b"x") as file:
            print("begins", flush=True)
            async for _ in sandbox.read(file, "sleep"):
                pass

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_a_dead_front_leaves_nothing_behind(how: signal.Signals) -> None:
    """When the front dies, however, the reader process and its children end, and its stdout is closed."""
    front = subprocess.Popen(  # noqa: ASYNC220 - it may block this loop
        [sys.executable, "-I", "-c", FRONT, str(HERE)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert front.stdout
    assert front.stdout.readline() == b"begins\n"
    process = psutil.Process(front.pid)
    await until(lambda: len(process.children(recursive=True)) == 2)
    others = process.children(recursive=True)
    front.send_signal(how)
    front.wait(SOON_S)
    assert front.stdout.read() == b"", "a child wrote into the protocol, or holds it"
    front.stdout.close()
    await until(lambda: all(map(has_ended, others)))
