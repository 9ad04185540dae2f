"""Answers that fronts share: `python -m benchmarks.shared_tier`, which prints the milliseconds of a search over HTTP.

Two fronts over 3,000 memories, with limits and a Valkey server (`make .venv-services/.stamp`), are asked in turns: a
question that is new, the same of the other front, which finds the answer on the server, and the same of the first one
again, which has it in its memory. Then the server hangs, and the slowest of the next questions is what it may cost.
The daemon's engine is `hash`: with a model, a new question takes longer, the others do not.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.http_load import MEMORIES, WARM, Client, serving
from benchmarks.kit import FRONT, daemon, percentile, say
from benchmarks.scale import fill, turns, vectors
from tests.services.valkey import Valkey

ASKED = 500
HANGING = 50


def told(what: str, took: list[float]) -> None:
    """Print the percentiles."""
    p50, p99 = (1e3 * percentile(took, part) for part in (0.5, 0.99))
    say(f"{what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {1e3 * max(took):.1f} ms")


def measure(one: Client, two: Client, asked: list[str], valkey: Valkey) -> None:
    """Ask both fronts in turns."""
    new: list[float] = []
    shared: list[float] = []
    own: list[float] = []
    for number, query in enumerate(asked[:-HANGING]):
        took = one.search(query), two.search(query), one.search(query)
        if number >= WARM:
            for kind, seconds in zip((new, shared, own), took, strict=True):
                kind.append(seconds)
    told("new", new)
    told("answered by the other front", shared)
    told("answered by this front", own)
    with valkey.hanging():
        told("new, while the server hangs", [one.search(query) for query in asked[-HANGING:]])


async def main() -> None:
    """Fill a store, and measure two fronts over it."""
    said = turns(MEMORIES + WARM + ASKED + HANGING)
    texts = [turn.text for turn in said]
    valkey = Valkey()
    valkey.start()
    more = {
        "MCP_MEMORY_REDIS_URL": valkey.url,
        "MCP_MEMORY_RESPONSE_CACHE_ENABLED": "1",
        "MCP_MEMORY_RATE_LIMIT_ENABLED": "1",
        "MCP_MEMORY_RATE_LIMIT_READ": "1000000",
    }
    try:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            store = Path(folder) / "memories.db"
            async with daemon(folder, "--engine", "hash") as served:
                space, rows = await vectors(served, texts[:MEMORIES])
                await fill(store, space, said[:MEMORIES], rows, MEMORIES)
                with (
                    serving(FRONT, served, store, folder, **more) as first,
                    serving(FRONT, served, store, folder, **more) as second,
                ):
                    one, two = Client(first.url, first.token), Client(second.url, first.token)
                    await asyncio.to_thread(measure, one, two, texts[MEMORIES:], valkey)
    finally:
        valkey.close()


if __name__ == "__main__":
    asyncio.run(main())
