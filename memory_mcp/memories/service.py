"""Writing and reading memories."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final

from memory_mcp.domain.errors import ConflictError, NotFoundError, SpaceMismatchError, StoreError
from memory_mcp.domain.models import (
    Change,
    Embedded,
    Filters,
    Lane,
    Memory,
    NewMemory,
    Page,
    Revision,
    Space,
    Statistics,
    Stored,
)
from memory_mcp.domain.names import nfc
from memory_mcp.domain.ports import RecordsAndIndex
from memory_mcp.domain.principal import Reach
from memory_mcp.domain.trash import TrashPage
from memory_mcp.memories.ahead import embed_ahead, is_full
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.related import Related, related_to

DELETED_AT_ONCE: Final = 500
"""Memories deleted in one transaction: it takes about 0.1 s, during which nobody else can write."""

TAGS_SHOWN: Final = 50


class Memories:
    """Stores, updates, deletes and lists."""

    def __init__(self, store: RecordsAndIndex, indexer: Indexer, on_pending: Callable[[], None]) -> None:
        self._store = store
        self._indexer = indexer
        self._on_pending = on_pending
        self._space: Space | None = None
        """The store's space when last asked; writes check it again, and queue what has vectors of another space."""

    async def store(self, new: NewMemory) -> Stored | ConflictError:
        """Store one memory, with vectors if they are ready within the budget."""
        [outcome] = await self._add([new], [await self._embed(new.content)])
        return outcome

    async def store_many(
        self, news: Sequence[NewMemory], on_progress: Callable[[int], Awaitable[None]]
    ) -> list[Stored | ConflictError | StoreError]:
        """Store many; a batch is on disk before it is reported, so a cancelled call keeps what it reported.

        The next batches are embedded while one is written. After the first batch that cannot be embedded, the others
        go to the queue without trying. If the store fails, the remaining memories have its error as outcome.
        """
        outcomes: list[Stored | ConflictError | StoreError] = []
        try:
            async with aclosing(embed_ahead(self._indexer, self._space_now, _batches(news))) as batches:
                async for embedded in batches:
                    outcomes += await self._add(news[len(outcomes) : len(outcomes) + len(embedded)], embedded)
                    await on_progress(len(outcomes))
        except StoreError as error:
            return outcomes + [error] * (len(news) - len(outcomes))
        return outcomes

    async def _space_now(self) -> Space | None:
        return await self._store.read(lambda it: it.space(), is_short=True)

    async def _embed(self, content: str) -> Embedded:
        """Embed one content in the store's space, which is asked for again only where the embedder serves another."""
        space = self._space = self._space or await self._space_now()
        [embedded], failure = await self._indexer.embed([content], lane=Lane.INTERACTIVE, space=space)
        if not isinstance(failure, SpaceMismatchError):
            return embedded
        self._space = await self._space_now()
        if self._space != space:
            [embedded], _ = await self._indexer.embed([content], lane=Lane.INTERACTIVE, space=self._space)
        return embedded

    async def _add(self, news: Sequence[NewMemory], embedded: Sequence[Embedded]) -> list[Stored | ConflictError]:
        outcomes = await self._store.add(list(zip(news, embedded, strict=True)))
        if any(isinstance(outcome, Stored) and not outcome.embedded for outcome in outcomes):
            self._left_pending()
        return outcomes

    def _left_pending(self) -> None:
        self._space = None  # the vectors may belong to a space that the store has left
        self._on_pending()

    async def get(self, memory_id: str, reach: Reach) -> Memory:
        """Return a memory.

        Raises:
            NotFoundError: no memory within reach has this id.
        """
        return await reach.find(lambda within, every: self._store.get(memory_id, within, any_namespace=every))

    async def revisions(self, memory: Memory, *, before: int | None = None, limit: int | None = None) -> list[Revision]:
        """Return what a memory was, oldest first: before a revision, and the last of it if there is a limit."""
        return await self._store.revisions(memory, before=before, limit=limit)

    async def revision(self, memory: Memory, number: int) -> Revision | None:
        """Return what a memory was at an earlier revision; None if there is no such one."""
        found = await self.revisions(memory, before=number + 1, limit=1)
        return next((was for was in found if was.revision == number), None)

    async def update(self, memory_id: str, reach: Reach, change: Change, expected_revision: int | None) -> Memory:
        """Replace fields; a new content gets new vectors.

        Raises:
            NotFoundError: no memory within reach has this id.
            ForbiddenError: it lies in a namespace that the caller only reads.
            ConflictError: its revision is not the expected one.
        """
        memory = reach.own(await self.get(memory_id, reach))
        embedded = None
        if change.content is not None:  # even if it is the same: another front may change it meanwhile
            embedded = await self._embed(change.content)
        updated = await self._store.update(memory, change, embedded, expected_revision)
        if not updated.embedded:
            self._left_pending()
        return updated

    async def revert(self, memory_id: str, reach: Reach, revision: int, expected_revision: int | None) -> Memory:
        """Make a memory what it was at an earlier revision; that is a new revision.

        Raises:
            NotFoundError: no memory within reach has this id, or it has no such revision.
            ForbiddenError: it lies in a namespace that the caller only reads.
            ConflictError: its revision is not the expected one.
        """
        was = await self.revision(await self.get(memory_id, reach), revision)
        if was is None:
            raise NotFoundError(f"revision: the memory {memory_id!r} has no earlier revision {revision}")
        change = Change(content=was.content, tags=was.tags, type=was.type, metadata=was.metadata)
        return await self.update(memory_id, reach, change, expected_revision)

    async def related(self, memory: Memory) -> Related:
        """Return what lies around a memory."""
        return await self._store.read(lambda it: related_to(it.within(memory.namespace), memory))

    async def delete(self, memory_id: str, reach: Reach, *, dry_run: bool) -> list[str]:
        """Delete a memory; return its id.

        Raises:
            NotFoundError: no memory within reach has this id.
            ForbiddenError: it lies in a namespace that the caller only reads.
        """
        namespace = reach.namespace
        if reach.is_limited:
            namespace = reach.own(await self.get(memory_id, reach)).namespace
        return await self._store.delete(
            [memory_id], Filters(namespace), dry_run=dry_run, any_namespace=not reach.is_limited
        )

    async def delete_all(
        self, filters: Filters, *, dry_run: bool, on_progress: Callable[[int, int], Awaitable[None]]
    ) -> list[str]:
        """Delete the memories that match now, some hundred at a time, reporting (done, total); return the ids."""
        to_delete = await self._store.delete(None, filters, dry_run=True)
        if dry_run:
            return to_delete
        deleted: list[str] = []
        for start in range(0, len(to_delete), DELETED_AT_ONCE):
            deleted += await self._delete_known(to_delete[start : start + DELETED_AT_ONCE], filters)
            await on_progress(min(start + DELETED_AT_ONCE, len(to_delete)), len(to_delete))
        return deleted

    async def _delete_known(self, ids: Sequence[str], within: Filters) -> list[str]:
        """Delete those that still exist and still match the filters."""
        try:
            return await self._store.delete(ids, within, dry_run=False)
        except NotFoundError:  # another process deleted one meanwhile
            half = len(ids) // 2
            halves = (ids[:half], ids[half:]) if half else ()
            return [gone for part in halves for gone in await self._delete_known(part, within)]

    async def deleted(self, memory_id: str, reach: Reach) -> Memory:
        """Return a deleted memory.

        Raises:
            NotFoundError: it is not deleted, was purged, or is out of reach.
        """
        return await reach.find(lambda within, every: self._store.deleted(memory_id, within, any_namespace=every))

    async def undelete(self, memory_id: str, reach: Reach, expected_revision: int | None = None) -> Memory:
        """Restore a deleted memory, with vectors if they are ready within the budget.

        Raises:
            NotFoundError: it is not deleted, was purged, or is out of reach.
            ConflictError: its revision is not the expected one.
        """
        memory = reach.own(await self.deleted(memory_id, reach))
        if expected_revision not in {None, memory.revision}:
            raise ConflictError(f"expected_revision: the memory was changed to revision {memory.revision} meanwhile")
        restored = await self._store.undelete(memory, await self._embed(memory.content))
        if not restored.embedded:
            self._left_pending()
        return restored

    async def trash(self, namespace: str, *, limit: int, cursor: str | None) -> TrashPage:
        """Return deleted memories, the latest deleted first.

        Raises:
            InvalidArgumentError: the cursor is invalid.
        """
        return await self._store.read(lambda it: it.trash(namespace, limit=limit, cursor=cursor), is_short=True)

    async def empty_trash(self, namespace: str, before: datetime, memory_ids: Sequence[str] | None = None) -> int:
        """Remove for good what was deleted before a moment, or only those of it with these ids; return the number."""
        purged = 0
        while count := await self._store.purge(before, namespace=namespace, memory_ids=memory_ids):
            purged += count
        return purged

    async def matching(self, filters: Filters) -> list[str]:
        """Return the ids of all memories that match."""
        return await self._store.delete(None, filters, dry_run=True)

    async def statistics(self, namespace: str) -> Statistics:
        return await self._store.statistics(namespace, TAGS_SHOWN)

    async def pending(self, namespace: str) -> int:
        """Return how many memories of a namespace have no vector yet."""
        counts = await self._store.read(lambda snapshot: snapshot.queue(namespace), is_short=True)
        return counts.pending

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        return await self._store.tags_like(prefix, namespace, limit)

    async def namespaces_like(self, prefix: str, reach: Reach, limit: int) -> list[str]:
        """Return the first namespaces within reach with this prefix, in order."""
        begins = nfc(prefix)
        if reach.only is not None:
            return sorted(name for name in reach.only if name.startswith(begins))[:limit]
        return await self._store.namespaces_like(begins, limit)

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first.

        Raises:
            InvalidArgumentError: the cursor is invalid.
        """
        return await self._store.read(lambda it: it.page(filters, limit=limit, cursor=cursor), is_short=True)


async def _batches(news: Sequence[NewMemory]) -> AsyncGenerator[list[str], None]:
    batch: list[str] = []
    for new in news:
        batch.append(new.content)
        if is_full(batch):
            yield batch
            batch = []
    if batch:
        yield batch
