"""Deleting by filters, while others delete too."""

from __future__ import annotations

from memory_mcp.domain.models import Change, Filters, NewMemory
from memory_mcp.domain.principal import Reach
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import DELETED_AT_ONCE, Memories
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore


async def filled(store: FakeStore, count: int) -> Memories:
    """Store many memories with the tag "old", whose ids count from 0."""
    indexer = Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=20)
    memories = Memories(store, indexer, on_pending=lambda: None)
    news = [NewMemory(f"text {n}", "n", tags=("old",), id=f"{n}") for n in range(count)]

    async def ignore(_: int) -> None:
        pass

    await memories.store_many(news, on_progress=ignore)
    return memories


async def test_what_others_deleted_meanwhile_is_passed_over() -> None:
    """The rest of its transaction goes all the same, and only what this call deleted is named."""
    store, told, count = FakeStore(), list[tuple[int, int]](), 2 * DELETED_AT_ONCE
    memories = await filled(store, count)

    async def meanwhile(done: int, total: int) -> None:
        told.append((done, total))
        if done < total:
            await store.delete([str(count - 1), str(count - 7)], Filters("n"), dry_run=False)

    gone = await memories.delete_all(Filters("n"), dry_run=False, on_progress=meanwhile)
    assert set(gone) == {str(n) for n in range(count)} - {str(count - 1), str(count - 7)}
    assert told == [(DELETED_AT_ONCE, count), (count, count)]
    assert (await store.read(lambda it: it.page(Filters("n"), limit=1, cursor=None))).total == 0


async def test_what_others_changed_meanwhile_stays() -> None:
    """A memory that the filters do not let through any more when its turn comes is kept."""
    store, kept = FakeStore(), str(DELETED_AT_ONCE)
    memories = await filled(store, DELETED_AT_ONCE + 2)

    async def meanwhile(done: int, total: int) -> None:
        if done < total:
            await memories.update(kept, Reach("n"), Change(tags=("new",)), None)

    gone = await memories.delete_all(Filters("n", tags=("old",)), dry_run=False, on_progress=meanwhile)
    assert (len(gone), kept in gone) == (DELETED_AT_ONCE + 1, False)
    assert (await store.get(kept, "n")).tags == ("new",)
