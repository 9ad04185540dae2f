"""Joins the rows of many calls into batches, and runs them one after another on the worker's thread.

Everything here belongs to the event loop's thread; only `_forward` runs on the worker's. A batch is packed at
the moment when that thread becomes free, so nothing waits for company while the daemon is idle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from embedder_api.v1 import wire
from embedder_api.v1.contract import ItemError

from embedder_daemon import logs
from embedder_daemon.engines.base import Encoded, Engine
from embedder_daemon.scheduler.admission import Admission
from embedder_daemon.scheduler.packing import BatchLimits, Lane, pick_lane
from embedder_daemon.scheduler.queue import Call, LaneQueue, Row, RowResult
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.stats import Stats

MAX_ROWS: Final = 32
"""Rows in one batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call's rows, in their order."""

    rows: list[RowResult]
    queue_s: float
    compute_s: float


class Scheduler:
    """Lanes in, vectors out."""

    def __init__(
        self, worker: Worker, stats: Stats, max_queued_texts: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.admission = Admission(max_queued_texts)
        self._worker = worker
        self._stats = stats
        self._clock = clock
        self._lanes = {lane: LaneQueue() for lane in Lane}
        self._passed_over = 0
        self._engine: Engine | None = None
        self._pump: asyncio.Task[None] | None = None

    def attach(self, engine: Engine | None) -> None:
        """Compute with this engine from the next batch on; None while no call is running."""
        self._engine = engine

    def queued(self, lane: Lane) -> int:
        """Return how many rows wait in a lane."""
        return len(self._lanes[lane])

    async def submit(self, texts: list[Encoded], *, lane: Lane, client: str, deadline: float) -> Outcome:
        """Queue a call's texts and wait for their vectors; a cancelled call's rows leave the queue at once.

        Raises:
            DeadlineError: the deadline (on the scheduler's clock) passed before every row was packed.
        """
        if not texts:
            return Outcome([], 0.0, 0.0)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = Call(lane, client, deadline, self._clock(), done, [None] * len(texts), len(texts))
        self._lanes[lane].add(call, texts)
        if self._pump is None:
            self._pump = asyncio.create_task(self._run())
        try:
            await done
        finally:
            self._stats.expired += self._lanes[lane].discard(call) if call.missing else 0
        elapsed = self._clock() - call.submitted
        return Outcome(cast(list[RowResult], call.results), max(0.0, elapsed - call.compute_s), call.compute_s)

    async def _run(self) -> None:
        """Run batches until nothing waits."""
        try:
            while batch := self._next_batch():
                await self._compute(batch)
        finally:
            self._pump = None

    def _next_batch(self) -> list[Row]:
        self._drop_expired()
        interactive, bulk = self._lanes[Lane.INTERACTIVE], self._lanes[Lane.BULK]
        lane = pick_lane(interactive=bool(interactive), bulk=bool(bulk), passed_over=self._passed_over)
        if lane is None:
            return []
        self._passed_over = self._passed_over + 1 if lane is Lane.INTERACTIVE and bulk else 0
        return self._lanes[lane].take(self._limits())

    def _limits(self) -> BatchLimits:
        return BatchLimits(MAX_ROWS, self._engine.facts.batch_tokens) if self._engine else BatchLimits(MAX_ROWS)

    def _drop_expired(self) -> None:
        now = self._clock()
        for queue in self._lanes.values():
            for call in queue.expired(now):
                self._stats.expired += queue.discard(call)
                call.expire()

    async def _compute(self, batch: list[Row]) -> None:
        """Run one batch and hand each row its result."""
        started = self._clock()
        results = await self._results([row.encoded for row in batch])
        seconds = self._clock() - started
        self._stats.count_batch([row.length for row in batch])
        self.admission.measured(len(batch), seconds)
        for call in {id(row.call): row.call for row in batch}.values():
            call.compute_s += seconds
        for row, result in zip(batch, results, strict=True):
            row.call.settle(row.index, result)

    async def _results(self, batch: list[Encoded]) -> list[RowResult]:
        """Return a vector or an item error for each text; never raises."""
        try:
            return await self._worker.run(_forward, self._engine, batch)
        except Exception:  # noqa: BLE001 - whatever an engine raises ends its batch, and not the thread
            logs.get().exception("a forward pass failed", rows=len(batch), tokens=[len(text.ids) for text in batch])
            return [ItemError.FAILED] * len(batch)


def _forward(engine: Engine | None, batch: Sequence[Encoded]) -> list[RowResult]:
    """Run the engine, on the worker's thread; a row that is no sound vector becomes an error."""
    if engine is None:
        raise RuntimeError("rows wait and no engine is attached")
    rows = engine.forward(batch)
    if len(rows) != len(batch):
        raise RuntimeError(f"the engine returned {len(rows)} rows for {len(batch)} texts")
    width = engine.facts.space.dimensions * wire.FLOAT32_BYTES
    return [row if len(row) == width and wire.is_sound(row) else ItemError.NOT_FINITE for row in rows]
