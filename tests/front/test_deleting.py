"""Deleting by filters, while others delete too."""

from __future__ import annotations

from memory_mcp.domain.models import Filters, NewMemory
from memory_mcp.services.indexing import Indexer
from memory_mcp.services.memories import DELETED_AT_ONCE, Memories
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore


async def test_what_others_deleted_meanwhile_is_passed_over() -> None:
    """The rest of its transaction goes all the same, and only what this call deleted is named."""
    store, told = FakeStore(), list[tuple[int, int]]()
    indexer = Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=20)
    memories, count = Memories(store, indexer, on_pending=lambda: None), 2 * DELETED_AT_ONCE

    async def ignore(_: int) -> None:
        pass

    await memories.store_many([NewMemory(f"text {n}", "n", id=f"{n}") for n in range(count)], on_progress=ignore)

    async def meanwhile(done: int, total: int) -> None:
        told.append((done, total))
        if done < total:
            await store.delete([str(count - 1), str(count - 7)], Filters("n"), dry_run=False)

    gone = await memories.delete_all(Filters("n"), dry_run=False, on_progress=meanwhile)
    assert set(gone) == {str(n) for n in range(count)} - {str(count - 1), str(count - 7)}
    assert told == [(DELETED_AT_ONCE, count), (count, count)]
    assert (await store.page(Filters("n"), limit=1, cursor=None)).total == 0
