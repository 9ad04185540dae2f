from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from memory_mcp.documents.readers.model import Refusal
from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.control import ReadingLimits
from tests.front.documents import hostile
from tests.front.documents.sandboxes import SOON_S, boxed, reader_processes, refusal, text

HOSTILE: Final = {
    "sleep": Refusal.OUT_OF_TIME,
    "fill-memory": Refusal.OUT_OF_MEMORY,
    "recurse": Refusal.TOO_DEEP,
    "fail": Refusal.DAMAGED,
    "flood": Refusal.TOO_LARGE,
    "escape-terminal": Refusal.DAMAGED,
}
"""What each costs; all others in `hostile.DEEDS` are READER_DIED."""
LIMITS: Final = ReadingLimits(wait_s=SOON_S, output_bytes=1 << 20, memory_bytes=600 << 20)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    """Yield a sandbox for tests after which it must be as before."""
    async with boxed(limits=LIMITS) as sandbox:
        yield sandbox


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted({*hostile.DEEDS, *HOSTILE} - {"loop", "loop-on", "sleep", "use-memory"}))
async def test_a_hostile_document_costs_itself_alone(shared: Sandbox, name: str) -> None:
    """Whatever a taken reader does is one refusal with a sentence, and the next document is read."""
    refused = await refusal(shared, name)
    process = reader_processes()
    assert await text(shared, "text") == "some text"
    assert reader_processes() == process, "another document's failure ended the reader process"
    assert refused.refusal is HOSTILE.get(name, Refusal.READER_DIED)
    assert refused.sentence.isprintable()
    assert "nobody must see" not in refused.sentence
    assert "; " in refused.sentence or name == "escape-terminal", "it does not say what fixes it"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("descriptors", "[0, 1, 2, 3, 4]"),
        ("callback", "[1, 2, 3]"),
        ("codecs", "“”" + b"\x93\x94".decode("shift_jis", "replace") + "lm"),
        ("memory", str(400 << 20)),
        ("random", "48"),
        ("time", "True"),
        ("late-imports", "([('a', 2)], 2026)"),
        ("seek", "(9, 1, b'ome')"),
        ("surrogate", "a?b"),
    ],
)
async def test_an_honest_reader_has_what_it_needs(shared: Sandbox, name: str, wanted: str) -> None:
    """Callbacks of C libraries, codecs, memory, chance, time and the document work in the box; nothing else is open."""
    assert await text(shared, name) == wanted


@pytest.mark.parametrize("name", ["loop", "loop-on"])
async def test_a_reader_that_computes_for_ever_is_stopped(name: str) -> None:
    """The system stops a reader at its limit of processor time, even one that ignores the signal."""
    async with boxed(limits=ReadingLimits(cpu_s=1)) as sandbox:
        assert (await refusal(sandbox, name)).refusal is Refusal.OUT_OF_TIME
        assert await text(sandbox, "text") == "some text"


async def test_memory_is_watched_where_the_system_bounds_none() -> None:
    """On macOS the reader process itself kills a child that uses too much memory, and says why."""
    limits = ReadingLimits(memory_bytes=200 << 20, wait_s=SOON_S)
    async with boxed("no_limits:read", limits=limits) as sandbox:
        assert (await refusal(sandbox, "use-memory")).refusal is Refusal.OUT_OF_MEMORY
        assert await text(sandbox, "text") == "some text"
