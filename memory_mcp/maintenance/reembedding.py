"""Moves a store from one embedding space to another while searches and writes go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import tenacity

from memory_mcp.domain.errors import ConflictError, EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Chunk, Embedded, Lane, MissingVectors, Space, Task
from memory_mcp.domain.ports import Embedder, IndexAndLeases
from memory_mcp.maintenance.leases import Lease
from memory_mcp.memories.indexing import Indexer

BATCH: Final = 64
"""Memories in one write."""
LEASE: Final = "reembed"
LEASE_S: Final = 8.0
"""Seconds after which another process may continue a killed one's work."""
REST_S: Final = 3.0
"""Maximum pause in seconds before the lease is extended."""
TAKEN: Final = "another process is re-embedding this store; wait for it, or stop it"
LATER: Final = "quarantined: the daemon refuses this text for now; it will be retried"
ATTEMPTS: Final = 16
"""Attempts, about a minute with growing pauses, before giving up on the embedder; finished work is kept."""


@dataclass(frozen=True, slots=True)
class ReembeddingProgress:
    """The progress of a re-embedding."""

    space: Space
    done: int
    total: int
    """Memories to embed; grows when others write meanwhile."""


@dataclass(frozen=True, slots=True)
class Reembedded:
    """The result of a re-embedding."""

    before: Space | None
    after: Space
    memories: int


class Reembedding:
    """Fills the space that the embedder serves now, then makes it the store's."""

    def __init__(
        self,
        store: IndexAndLeases,
        embedder: Embedder,
        indexer: Indexer,
        *,
        budget_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._indexer = indexer
        self._budget_s = budget_s
        self._clock = clock
        self._sleep = sleep
        self._lease = Lease(store, LEASE)

    async def run(self, on_progress: Callable[[ReembeddingProgress], None], *, share: float = 1.0) -> Reembedded:
        """Re-embed memories that are in another space; continue where an earlier run stopped.

        Args:
            on_progress: called after every batch.
            share: fraction of the time it may keep the embedder busy, above 0 and at most 1.

        Raises:
            ConflictError: another process is re-embedding.
            EmbedderError: the embedder failed repeatedly; finished work is kept.
            SpaceMismatchError: the embedder's model changed meanwhile.
        """
        before, target = await self._store.read(lambda it: it.space(), is_short=True), await self._target()
        if before == target:
            return Reembedded(before, target, await self._fill_gaps(target, on_progress, share))
        return Reembedded(before, target, await self._fill_whole(target, on_progress, share))

    async def _fill_gaps(self, target: Space, on_progress: Callable[[ReembeddingProgress], None], share: float) -> int:
        """Embed memories that have no vectors in the store's own space; return their number.

        Refused passages are retried. Memories with some vectors are left to the chores.
        """
        await self._store.retry_failed(None)
        if not await self._store.count_missing_vectors(target):
            return 0
        filled = await self._fill_whole(target, on_progress, share)
        return max(0, filled - (await self._store.read(lambda it: it.queue(None), is_short=True)).failed)

    async def _fill_whole(self, target: Space, on_progress: Callable[[ReembeddingProgress], None], share: float) -> int:
        await self._take_lease()
        try:
            done = await self._fill(target, on_progress, share)
            while not await self._store.activate_space(target):  # others wrote after the last batch
                done += await self._fill(target, on_progress, share)
        finally:
            await self._lease.give_back()
        return done

    async def drop_others(self) -> int:
        """Remove the vectors of all spaces but the store's; return how many spaces that were."""
        others = await self._store.other_spaces()
        for space in others:
            await self._store.drop_space(space)
        return len(others)

    async def _target(self) -> Space:
        """Return the space that the embedder serves, by embedding a throwaway text."""
        embedding = await self._embedder.embed(
            ["space"], task=Task.DOCUMENT, lane=Lane.INTERACTIVE, budget_s=self._budget_s, expected_space=None
        )
        return embedding.space

    async def _fill(self, target: Space, on_progress: Callable[[ReembeddingProgress], None], share: float) -> int:
        done, after, total = 0, 0, await self._store.count_missing_vectors(target)
        while lacking := await self._store.missing_vectors(target, after, BATCH):
            await self._prolong()
            begun = self._clock()
            embedded = await self._embed(lacking, target)
            await self._store.backfill(
                target, [(memory, of.chunks) for memory, of in zip(lacking, embedded, strict=True)]
            )
            done, after = done + len(lacking), lacking[-1].key
            on_progress(ReembeddingProgress(target, done, max(total, done)))
            await self._rest((self._clock() - begun) * (1 / share - 1))
        return done

    async def _rest(self, seconds: float) -> None:
        while seconds > 0:
            await self._sleep(min(seconds, REST_S))
            await self._prolong()
            seconds -= REST_S

    async def _take_lease(self) -> None:
        """Take the lease; wait as long as a killed process's lease may last."""
        for _ in range(int(LEASE_S) + 1):
            if await self._lease.take(LEASE_S):
                return
            await self._sleep(1)
        raise ConflictError(TAKEN)

    async def _prolong(self) -> None:
        if not await self._lease.take(LEASE_S):
            raise ConflictError(TAKEN)  # nothing is lost: the process that has it continues

    async def _embed(self, lacking: Sequence[MissingVectors], target: Space) -> list[Embedded]:
        patiently = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(0.2, max=5),
            sleep=self._sleep,
            reraise=True,
        )
        return await patiently(self._embed_once, [memory.content for memory in lacking], target)

    async def _embed_once(self, contents: Sequence[str], target: Space) -> list[Embedded]:
        embedded, failure = await self._indexer.embed(contents, lane=Lane.BULK, space=target, read=None)
        if failure is not None:
            raise failure
        return [replace(of, chunks=tuple(map(_refused_for_now, of.chunks))) for of in embedded]


def _refused_for_now(passage: Chunk) -> Chunk:
    """Give a passage that is refused for now an error, so that it does not block the switch to the new space.

    The chores recognise that the refusal was temporary, and queue it again.
    """
    return passage if passage.vector or passage.error else replace(passage, error=LATER)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, EmbedderError) and not isinstance(error, SpaceMismatchError)
