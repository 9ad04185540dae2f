"""SIGKILL at any moment of a process that re-embeds a store, while three more write."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from memory_mcp.domain.models import Space
from memory_mcp.maintenance.reembedding import BATCH, LEASE_S, Reembedding
from memory_mcp.memories.indexing import Indexer
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import SPACE, near, new, towards, whole
from tests.fakes.embedder import FakeEmbedder
from tests.front.storage.conftest import Start
from tests.front.storage.killing import ended, kill_within, let_write, logged, next_line, start_others

NEW = Space("new-384", 384)
BATCHES = 6
REEMBEDS = """
import asyncio, sys
from pathlib import Path
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.front.storage.test_kills_reembedding import make

print("ready", flush=True)
asyncio.run(make(SqliteStore(Path(sys.argv[1]))).run(lambda progress: print("filled", progress.done, flush=True)))
"""


def make(store: SqliteStore) -> Reembedding:
    """Make a re-embedding into a space of another model."""
    embedder = FakeEmbedder(NEW)
    return Reembedding(store, embedder, Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20), budget_s=20)


@pytest.mark.parametrize(
    ("batches", "seed"),
    [(2, 1), *(pytest.param(seed % (BATCHES + 2), seed, marks=pytest.mark.slow) for seed in range(2, 34))],
)
async def test_a_killed_reembedding_is_finished_by_the_next(path: Path, start: Start, batches: int, seed: int) -> None:
    """The old space is searched until the switch, what was done is not done again, and everyone's writes are there."""
    store = SqliteStore(path, clock=lambda: time.time() + 2 * LEASE_S)  # a killed process's lease has run out
    texts = [f"memory {number}" for number in range(BATCHES * BATCH)]
    await store.add([(new(text, id=text), whole(text, towards(90 * n / len(texts)))) for n, text in enumerate(texts)])
    others, process = start_others(start, path), start(REEMBEDS, path)
    let_write(others)
    assert next_line(process) == "ready"
    begun = time.monotonic()
    filled = sum(next_line(process) != "" for _ in range(batches))
    kill_within(process, (time.monotonic() - begun) / max(batches, 1), seed)
    lacking = await store.missing_vectors(NEW, 0, 100_000)
    assert sum(of.content.startswith("memory") for of in lacking) <= max(0, BATCHES - filled) * BATCH
    if await store.read(lambda it: it.space()) == SPACE:
        assert (await near(store, limit=1, degrees=0))[0] in {"memory 0", *(f"other {prefix}0" for prefix in others)}
    done = await make(store).run(lambda _: None)
    assert done.memories >= len(lacking)
    acts = {prefix: ended(other) for prefix, other in others.items()}
    assert [other.returncode for other in others.values()] == [0, 0, 0]
    for prefix, told in acts.items():
        assert told == logged(path, prefix)
    assert (await store.read(lambda it: it.space()), await store.other_spaces()) == (NEW, [SPACE])
    assert await store.count_missing_vectors(NEW) == (await store.read(lambda it: it.queue(None))).pending
    assert await store.verify() == []
    await store.close()
