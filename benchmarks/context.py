"""`python -m benchmarks.context [SIZES]`: memory_context against memory_search, in turns, and with sources that fail.

Over stdio, with a daemon without a cache; queries are turns that are not stored. The last figure is in process: two
sources hang, one fails, one sends 100 MB, one answers.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.kit import FRONT, Daemon, daemon, percentile, report, say
from benchmarks.scale import NAMESPACE, Rows, Turn, fill, turns, vectors
from benchmarks.store import Line, in_turns
from memory_mcp.app import make_embedder, make_services
from memory_mcp.context.models import ContextRequest
from memory_mcp.context.states import ContextState
from memory_mcp.domain.models import Filters, Space
from memory_mcp.domain.principal import local_user
from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceItem, SourceQuery
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.sources import FakeSource, FakeSources

KNOWN = 3_000
"""Turns with vectors of their own; a larger store repeats them with noise."""
SIZES = (3_000, 100_000)
ROUNDS = 200
BUDGET_MS = 500
ASKED = 40


class Flood(FakeSource):
    """Sends everything that it has; matching 100 MB would be this process's own time."""

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Return all items."""
        self.asked.append(query)
        return SourceAnswer(tuple(self.items))


async def against_search(served: Daemon, path: Path, size: int, asked: list[str]) -> None:
    """Print the medians of both, with the default budget of tokens."""
    line = Line(
        [str(FRONT), "serve"],
        {
            "MCP_MEMORY_SQLITE_PATH": str(path),
            "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
            "MCP_MEMORY_RESPONSE_CACHE_ENABLED": "0",
        },
    )
    took = await in_turns(
        ROUNDS,
        memory_search=lambda number: line.tool("memory_search", query=asked[number % len(asked)]),
        memory_context=lambda number: line.tool("memory_context", query=asked[-1 - number % len(asked)]),
    )
    line.close()
    report(
        f"memory_context, {size} memories",
        took["memory_context"],
        "memory_search",
        took["memory_search"],
        "ms",
        "at most 1.5",
    )


async def with_faults(served: Daemon, path: Path, asked: list[str]) -> None:
    """Print when a block comes though four of five sources do not answer as they should."""
    sources = [
        FakeSource("hangs", hangs=True),
        FakeSource("hangs_too", hangs=True),
        FakeSource("fails", error=SourceError("it fails", "repair it")),
        Flood("floods", items=[SourceItem("flood " * 1_700_000, title=str(number)) for number in range(10)]),
        FakeSource("answers", items=[SourceItem(text) for text in asked]),
    ]
    settings = load(embedder_address=served.address)
    store, embedder = SqliteStore(path), make_embedder(settings)
    services = make_services(settings, store, embedder, sources=FakeSources(sources))
    took = []
    for text in asked[:ASKED]:
        begun = time.perf_counter()
        request = ContextRequest(text, Filters(NAMESPACE), local_user(NAMESPACE), budget_ms=BUDGET_MS)
        block = await services.context.assemble(request)
        took.append((time.perf_counter() - begun) * 1e3)
        assert "answers" in {item.source for item in block.items}
    await embedder.close()
    await store.close()
    late = services.context.requests.ended[ContextState.LATE]
    say(f"{len(took)} blocks with {BUDGET_MS} ms, {late} of them late: p50 {percentile(took, 0.5):.0f} ms, ")
    say(f"the slowest {max(took):.0f} ms (target: at most {BUDGET_MS + 50} ms)")


async def main(sizes: list[int]) -> None:
    """Measure everything."""
    said = turns(KNOWN + 400)
    known, asked = said[:KNOWN], [turn.text for turn in said[KNOWN:]]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, "--cache-mb", "0") as served:
            space, rows = await vectors(served, [turn.text for turn in known])
            for size in sizes:
                await _at(Path(folder), served, (space, known, rows), size, asked)


async def _at(
    folder: Path, served: Daemon, stored: tuple[Space, list[Turn], Rows], size: int, asked: list[str]
) -> None:
    space, known, rows = stored
    path = folder / f"{size}.db"
    await fill(path, space, known, rows, size)
    await against_search(served, path, size, asked)
    await with_faults(served, path, asked)


asyncio.run(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
