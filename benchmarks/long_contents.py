"""`python -m benchmarks.long_contents [SET [COUNT]]`: storing long contents, in turns with the daemon alone.

The contents are those of BEAM, or of the set that is named, but for the few that are left to the queue as they are too
long; the daemon keeps no cache, and is given all passages of the same block at once, which is the most that it can do.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence

from embedder_api.v1 import embedder_pb2 as pb

from benchmarks.kit import DATA, FRONT, Daemon, daemon, report, say
from benchmarks.sets import load
from benchmarks.store import Line
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, head_of, split
from memory_mcp.memories.indexing import MAX_PASSAGES_AT_ONCE

BLOCK = 100
REQUEST = 64


def passages(contents: Sequence[str]) -> list[str]:
    """Return what the front lets the daemon embed."""
    return [
        head_of(content, DEFAULT_CHUNKS).above(start, content[start:end])
        for content in contents
        for start, end in split(content, DEFAULT_CHUNKS)
    ]


async def embed(served: Daemon, texts: Sequence[str]) -> float:
    """Let the daemon embed all of it; return the seconds."""
    parts = [list(texts[start : start + REQUEST]) for start in range(0, len(texts), REQUEST)]
    begun = time.perf_counter()
    await asyncio.gather(*(served.embed(part, pb.LANE_BULK) for part in parts))
    return time.perf_counter() - begun


def store(front: Line, contents: Sequence[str]) -> float:
    """Store all of it; return the seconds."""
    begun = time.perf_counter()
    answer = front.tool("memory_store_many", items=[{"content": content} for content in contents])
    took_s = time.perf_counter() - begun
    assert all(item["embedded"] for item in answer["items"])
    return took_s


async def main(name: str = "beam_dev", count: str = "1400") -> None:
    """Measure the first contents of a set."""
    contents = [
        one.content for one in load(DATA / name).documents if len(passages([one.content])) <= MAX_PASSAGES_AT_ONCE
    ]
    contents = contents[: int(count)]
    stored_s = embedded_s = texts = 0.0
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, "--cache-mb", "0") as served:
            environment = {
                "MCP_MEMORY_SQLITE_PATH": f"{folder}/memory.db",
                "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                "MCP_MEMORY_BULK_BUDGET_S": "300",
            }
            front = Line([str(FRONT), "serve"], environment)
            await embed(served, passages(contents[:BLOCK]))
            store(front, contents[:BLOCK])  # imports, and the daemon learns what a batch takes
            for start in range(BLOCK, len(contents), BLOCK):
                block = contents[start : start + BLOCK]
                cut = passages(block)
                stored_s += store(front, block)
                embedded_s += await embed(served, cut)
                texts += len(cut)
            front.close()
    say(f"{len(contents) - BLOCK:,} contents of {name}, {texts:,.0f} passages")
    report("memory_store_many", texts / stored_s, "the daemon", texts / embedded_s, "passages/s", "at least 0.85")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
