"""The store port over one SQLite file."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.models import (
    Change,
    Condition,
    Embedded,
    Filters,
    Finding,
    Match,
    Matching,
    Memory,
    Neighbours,
    NewMemory,
    Page,
    Passage,
    PendingPassage,
    QueueCounts,
    Revision,
    Sample,
    Space,
    Stored,
)
from memory_mcp.domain.ports import Moment
from memory_mcp.storage.sqlite import reads, writes
from memory_mcp.storage.sqlite.connection import Database
from memory_mcp.storage.sqlite.finder import LARGE, Finder
from memory_mcp.storage.sqlite.moment import SqliteMoment

T = TypeVar("T")


class SqliteStore:
    """Memories in one file; see `domain.ports.Store` for what each method promises."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, large: int = LARGE) -> None:
        self._database = Database(path)
        self._finder = Finder(path, large)
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Write memories in one transaction; a conflict concerns its own item alone."""
        now = self._now()

        def add_one(db: apsw.Connection, new: NewMemory, embedded: Embedded) -> Stored | ConflictError:
            try:
                return writes.add(db, new, embedded, now)
            except ConflictError as error:  # raised before anything of this item was written
                return error

        return await self._database.write(lambda db: [add_one(db, new, embedded) for new, embedded in items])

    async def get(self, memory_id: str, namespace: str) -> Memory:
        """Return a memory of this namespace, else of any other."""
        return await self._database.read(lambda db: reads.get(db, memory_id, namespace))

    async def revisions(self, memory: Memory) -> list[Revision]:
        """Return what the memory was before, oldest first."""
        return await self._database.read(lambda db: reads.revisions(db, memory.key))

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        """Replace fields and keep the old revision."""
        now = self._now()
        return await self._database.write(
            lambda db: writes.update(db, memory.key, change, embedded, expected_revision, now)
        )

    async def delete(self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool) -> list[str]:
        """Delete softly by ids, else by filters."""
        if dry_run:
            doomed = await self._database.read(lambda db: reads.select_doomed(db, memory_ids, filters))
            return [memory_id for _, memory_id, _ in doomed]
        now = self._now()
        return await self._database.write(lambda db: writes.delete(db, memory_ids, filters, now))

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        return await self.at_once(lambda it: it.page(filters, limit=limit, cursor=cursor))

    async def at_once(self, work: Callable[[Moment], T]) -> T:
        """Do work that asks several things of one moment."""
        return await self._database.read(lambda db: work(SqliteMoment(db, self._finder)))

    async def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        return await self.at_once(lambda it: it.fetch(keys))

    async def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best passage is nearest by cosine."""
        return await self.at_once(lambda it: it.nearest(vector, space, filters, limit))

    async def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories."""
        return await self.at_once(lambda it: it.compare(vector, space, keys))

    async def matching(self, query: str, filters: Filters, limit: int) -> Matching:
        """Return the memories that hold words of the query."""
        return await self.at_once(lambda it: it.matching(query, filters, limit))

    async def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies on each side of each memory in its conversation."""
        return await self.at_once(lambda it: it.neighbours(keys))

    async def in_context(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosine to each memory's meaning among its neighbours."""
        return await self.at_once(lambda it: it.in_context(vector, space, keys))

    async def sample(self, vector: bytes, space: Space, namespace: str, count: int) -> Sample:
        """Return the cosines to some passages of a namespace."""
        return await self.at_once(lambda it: it.sample(vector, space, namespace, count))

    async def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of the namespace."""
        return await self.at_once(lambda it: it.tags_among(words, namespace))

    async def space(self) -> Space | None:
        """Return the space of the store's vectors; None before the first."""
        return await self.at_once(lambda it: it.space())

    async def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors."""
        return await self.at_once(lambda it: it.queue(namespace))

    async def pending(self, limit: int) -> list[PendingPassage]:
        """Return the oldest passages that wait for a vector."""
        return await self._database.read(lambda db: reads.pending(db, limit))

    async def attach(self, space: Space, results: Sequence[tuple[int, Sequence[Passage]]]) -> None:
        """Give queued passages their vectors."""
        now = self._now()
        await self._database.write(lambda db: writes.attach(db, space, results, now))

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease."""
        now = self._now()
        expires_at = now + int(seconds * 1_000_000)
        return await self._database.write(lambda db: writes.acquire_lease(db, name, owner, now, expires_at))

    async def findings(self) -> dict[str, Finding]:
        """Say whether the file opens, and how its queue and its space are."""
        path = self._database.path
        try:
            space = await self.space()
            queue = await self.queue(None)
        except StoreError as error:
            return {"store": Finding(Condition.FAILED, "unusable", str(error), f"see to {path}, then try again")}
        return {
            "store": Finding(Condition.OK, "open", detail=f"{path}{_free(path)}"),
            "space": Finding(Condition.OK, "open", detail=f"{space.id}, {space.dimensions} dimensions")
            if space
            else Finding(Condition.OK, "none", detail="the first vector decides it"),
            "queue": _queue_finding(queue),
        }

    async def close(self) -> None:
        """Let go of the file."""
        await self._database.close()


def _free(path: Path) -> str:
    try:
        return f", {shutil.disk_usage(path.parent).free // 1_000_000} MB free on its disk"
    except OSError:  # the folder was moved away under the open file; the figure is a courtesy
        return ""


def _queue_finding(queue: QueueCounts) -> Finding:
    detail = f"memories: {queue.pending} pending, {queue.failed} failed"
    if queue.failed:
        return Finding(
            Condition.DEGRADED,
            "failed",
            f"some passages were refused by the embedder: {queue.last_error}",
            "update or delete these memories; they are found by keywords meanwhile",
            detail,
        )
    if queue.pending:
        return Finding(
            Condition.DEGRADED,
            "pending",
            "memories wait for vectors",
            "none needed: the queue drains by itself",
            detail,
        )
    return Finding(Condition.OK, "empty", detail=detail)
