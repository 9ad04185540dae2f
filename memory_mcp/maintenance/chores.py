"""The background chores: probing the embedder, draining the embedding queue, upkeep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from memory_mcp.background import Background, rest
from memory_mcp.domain.errors import EmbedderError, StoreError
from memory_mcp.domain.models import Lane, PendingChunk, Space
from memory_mcp.domain.ports import Embedder, IndexAndLeases
from memory_mcp.logger import Logger
from memory_mcp.maintenance.leases import Lease
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, ChunkPolicy, head_of
from memory_mcp.memories.indexing import TEXTS_PER_CALL, EmbeddingProgress, TextSpan, embed_spans

LEASE: Final = "queue"
LEASE_MARGIN_S: Final = 5.0
"""Seconds added to a batch's budget for writing its vectors."""

log = Logger(__name__)


class Chores:
    """One loop in each running front; a lease in the store lets only one drain at a time."""

    def __init__(  # noqa: PLR0913 - the parts that it joins, and what tests replace
        self,
        store: IndexAndLeases,
        embedder: Embedder,
        upkeep: Upkeep,
        *,
        poll_s: float,
        bulk_budget_s: float,
        chunks: ChunkPolicy = DEFAULT_CHUNKS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._upkeep = upkeep
        self._poll_s = poll_s
        self._bulk_budget_s = bulk_budget_s
        self._chunks = chunks
        self._clock = clock
        self._lease = Lease(store, LEASE)
        self._wake = asyncio.Event()
        self._batch = TEXTS_PER_CALL
        self.background = Background("the loop of chores", clock=clock, sleep=sleep)

    def wake(self) -> None:
        """Check the queue now."""
        self._wake.set()

    async def run(self) -> None:
        """Run the chores until cancelled."""
        await self.background.run(self._rounds)

    async def _rounds(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._embedder.probe()
                await self.drain()
                await self._upkeep.run_if_due()
            except StoreError as error:
                log.warning("the background chores were postponed", cause=str(error))
            await self._rest()

    async def _rest(self) -> None:
        """Sleep until something is queued, the breaker allows a probe, or other processes may have queued something."""
        retry_in_s = self._embedder.retry_in_s()
        if retry_in_s is None:
            await rest(self._wake, self._poll_s)
        else:  # nothing can be embedded until then
            await asyncio.sleep(retry_in_s)

    async def drain(self) -> None:
        """Embed the queue until it is empty or the embedder fails; only one front at a time does this.

        Passages that another engine or version refused are retried.
        """
        if self._embedder.retry_in_s() is not None:
            return
        await self._retry_failed()
        if not await self._store.pending(1):
            return
        later = set[int]()
        try:
            while await self._take_lease() and (waiting := await self._waiting(later)):
                if not await self._embed(waiting, later):
                    self._batch = max(1, self._batch // 2)  # so that a slow machine's batch fits the budget eventually
                    return
                self._batch = min(TEXTS_PER_CALL, 2 * self._batch)
        finally:
            await self._lease.give_back()

    async def _retry_failed(self) -> None:
        """Queue what another engine, or another version of it, refused."""
        if (
            not (await self._store.read(lambda it: it.queue(None), is_short=True)).failed
            or (served := await self._embedder.served()) is None
        ):
            return
        space = await self._store.read(lambda it: it.space(), is_short=True)
        if served.made_by and (space is None or served.space_id == space.id):
            queued = await self._store.retry_failed(served.made_by)
            if queued:
                log.info("retrying refused passages", passages=queued, engine=served.made_by)

    async def _waiting(self, later: AbstractSet[int]) -> list[PendingChunk]:
        """Return the next batch, without the passages to do later."""
        waiting = await self._store.pending(self._batch + len(later))
        return [passage for passage in waiting if passage.passage_id not in later][: self._batch]

    async def _take_lease(self) -> bool:
        """Take or extend the lease for the duration of one batch."""
        return await self._lease.take(self._bulk_budget_s + LEASE_MARGIN_S)

    async def _embed(self, waiting: Sequence[PendingChunk], later: set[int]) -> bool:
        """Embed one batch and return whether to continue; work before a failure is kept.

        Passages that the embedder refuses for now are added to `later` and stay in the queue.
        """
        progress = EmbeddingProgress.of(
            [TextSpan(passage.start, passage.text, head_of(passage.content, self._chunks)) for passage in waiting]
        )
        space = await self._store.read(lambda it: it.space(), is_short=True)
        end = self._clock() + self._bulk_budget_s
        failure: EmbedderError | None = None
        try:
            await embed_spans(
                self._embedder,
                progress,
                lane=Lane.BULK,
                budget_s=lambda: end - self._clock(),
                expected_space=space.id if space else None,
            )
        except EmbedderError as error:
            failure = error
            log.info("the embedding queue is waiting", cause=str(error), passages=len(waiting))
        if progress.space is not None:
            await self._attach(waiting, progress, progress.space)
        later.update(waiting[index].passage_id for index, _ in progress.later)
        return failure is None

    async def _attach(self, waiting: Sequence[PendingChunk], progress: EmbeddingProgress, space: Space) -> None:
        done = [
            (passage.passage_id, progress.chunks(index))
            for index, passage in enumerate(waiting)
            if progress.done[index]
        ]
        await self._store.set_vectors(space, done)
        log.info("embedded queued passages", passages=len(done))
