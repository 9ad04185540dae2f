"""Joins the rows of many calls into batches, and runs them one after another on the worker's thread.

Everything here runs on the event loop's thread, except `_forward`, which runs on the worker's. A batch is packed when
that thread becomes free, so no text waits for others while the daemon is idle.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from embedder_api.v1 import wire
from embedder_api.v1.contract import ItemError

from embedder_daemon import logs
from embedder_daemon.engines.base import Encoded, Engine, EngineFacts
from embedder_daemon.errors import INTERNAL, DeadlineError, RequestError
from embedder_daemon.scheduler.admission import Admission
from embedder_daemon.scheduler.budget import Budget
from embedder_daemon.scheduler.cost import CostModel
from embedder_daemon.scheduler.lanes import Lanes
from embedder_daemon.scheduler.packing import CALM_QUANTUM_S, CPU_ROWS, GPU_ROWS, BatchLimits, QueueLane, quantum_s
from embedder_daemon.scheduler.quarantine import Quarantine
from embedder_daemon.scheduler.queue import Pass, QueuedCall, Row, RowResult
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.stats import Stats

_TOLERANCE: Final = 2.0  # predictions may be too long by this factor before a call is refused by mistake
_USUAL_TOKENS: Final = 32  # of a text that is not tokenised yet


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a call's rows, in order."""

    rows: list[RowResult]
    queue_s: float
    submitted: float
    """On the scheduler's clock; so are the beginnings of the passes."""
    passes: Sequence[Pass] = ()

    @property
    def compute_s(self) -> float:
        """Seconds of the passes."""
        return sum(each.seconds for each in self.passes)


class Scheduler:
    """Queues calls' texts in lanes, and computes their vectors in batches."""

    def __init__(
        self,
        worker: Worker,
        stats: Stats,
        max_queued_texts: int,
        clock: Callable[[], float] = time.monotonic,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.admission = Admission(max_queued_texts, self._backlog_s)
        self.quarantine = quarantine or Quarantine()
        self._worker = worker
        self._stats = stats
        self._clock = clock
        self._lanes = Lanes()
        self._model = CostModel()
        self._budget = Budget()
        self._interactive_at = -math.inf
        self._free_at = -math.inf
        self._progress_at = -math.inf
        self._engine: Engine | None = None
        self._pump: asyncio.Task[None] | None = None
        self._aborted: RequestError | None = None

    def attach(self, engine: Engine | None) -> None:
        """Use this engine from the next batch on; None while no call is running."""
        self._engine = engine
        if engine:
            self.quarantine.engine = _name(engine.facts)

    def queued(self, lane: QueueLane) -> int:
        """Return the number of waiting rows in a lane."""
        return len(self._lanes.queues[lane])

    def stalled_s(self) -> float:
        """Return the seconds without a finished forward pass while there were texts; 0 when idle."""
        return 0.0 if self._pump is None else self._clock() - self._progress_at

    def abort(self, error: RequestError) -> None:
        """Fail all waiting and future calls."""
        self._aborted = error
        self._fail_all(error)

    def _fail_all(self, error: RequestError) -> None:
        for call in self._lanes.calls:
            call.fail(error)

    def _backlog_s(self, texts: int) -> float:
        """Predict the seconds until this many texts are computed, some of which may not be queued yet."""
        loads = [queue.load for queue in self._lanes.queues.values()]
        tokens, rows = sum(load.tokens for load in loads), sum(load.rows for load in loads)
        unknown = max(0, texts - rows)
        limits = BatchLimits(seconds=CALM_QUANTUM_S, cost=self._model.cost)
        return limits.cost.backlog_s(tokens + unknown * _USUAL_TOKENS, rows + unknown, limits.most_s, limits.rows)

    async def submit(
        self, texts: list[Encoded], *, lane: QueueLane, client: str, deadline: float, keys: Sequence[bytes] = ()
    ) -> Outcome:
        """Queue a call's texts and wait for their vectors; a cancelled call's rows leave the queue at once.

        Texts of equal `keys` (one for each text, or none at all) that wait at the same time are computed once.

        Raises:
            DeadlineError: the deadline (on the scheduler's clock) cannot be met, or passed before every row was packed.
            RequestError: the error passed to `abort`.
        """
        if self._aborted:
            raise self._aborted
        if not texts:
            return Outcome([], 0.0, self._clock())
        self._refuse_late(texts, keys, lane, client, deadline)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = QueuedCall(lane, client, deadline, self._clock(), done, [None] * len(texts), len(texts))
        call.request_id = logs.CALL.get().get("request_id", "")
        self._stats.deduplicated += self._lanes.join(call, texts, keys)
        if lane is QueueLane.INTERACTIVE:
            self._interactive_at = call.submitted
        if self._pump is None:
            self._progress_at = call.submitted
            self._pump = asyncio.create_task(self._run())
        try:
            await done
        finally:
            self._stats.expired += self._lanes.leave(call)
        elapsed, computed = self._clock() - call.submitted, sum(each.seconds for each in call.passes)
        results = cast(list[RowResult], call.results)
        return Outcome(results, max(0.0, elapsed - computed), call.submitted, call.passes)

    def _refuse_late(
        self, texts: Sequence[Encoded], keys: Sequence[bytes], lane: QueueLane, client: str, deadline: float
    ) -> None:
        """Refuse a call that is predicted to miss its deadline; while nothing runs, trying does no harm."""
        if self._pump is None or math.isinf(deadline) or not self._model.trusted:
            return
        now = self._clock()
        fresh = self._lanes.fresh(lane, texts, keys)
        predicted_s = self._running_s(now) + self._lanes.ahead_s(lane, client, fresh, self._limits(now))
        if now + predicted_s / _TOLERANCE > deadline:
            self._stats.shed += 1
            raise DeadlineError(
                "earlier texts will take until after the deadline; set a longer deadline, or try again later"
            )

    def _running_s(self, now: float) -> float:
        """Predict when the forward thread becomes free."""
        return max(0.0, self._free_at - now)

    async def _run(self) -> None:
        """Run batches until nothing waits."""
        try:
            while batch := self._next_batch():
                await self._compute(batch)
        except Exception:  # noqa: BLE001 - no call may be left waiting for a pump that has ended
            logs.get().exception("batches cannot be run")
            self._fail_all(RequestError(INTERNAL))
        finally:
            self._pump = None

    def _next_batch(self) -> list[Row]:
        if not any(self._lanes.queues.values()):
            return []
        now = self._clock()
        for call in self._lanes.expired(now):
            self._stats.expired += self._lanes.leave(call)
            call.fail(DeadlineError("the deadline passed while the texts were queued"))
        return self._lanes.next_batch(self._limits(now))

    def _limits(self, now: float) -> BatchLimits:
        """Return the limits of a batch: a quantum of time on a CPU, enough to fill it on a GPU."""
        cost = self._model.cost
        tokens = self._budget.within(self._wanted_tokens())
        if self._engine is None or self._engine.facts.device == "cpu":
            return BatchLimits(CPU_ROWS, tokens, quantum_s(now - self._interactive_at), cost)
        return BatchLimits(GPU_ROWS, tokens, cost=cost)

    async def _compute(self, batch: list[Row]) -> None:
        """Run one batch and give each row a result, whatever happens."""
        results: list[RowResult] = [ItemError.FAILED] * len(batch)
        try:
            results = await self._timed(batch)
        finally:
            self._lanes.finish(batch)
            for row, result in zip(batch, results, strict=True):
                row.settle(result)

    async def _timed(self, batch: list[Row]) -> list[RowResult]:
        """Run one batch and learn from its duration."""
        started = self._clock()
        padded = max(row.length for row in batch) * len(batch)
        self._free_at = started + self._model.cost.seconds(padded, len(batch))
        bisected = self._stats.bisected
        results = await self._results(batch)
        seconds = self._clock() - started
        self._stats.count_batch(batch[0].lane, [row.length for row in batch], seconds)
        if self._stats.bisected == bisected and results != [
            ItemError.FAILED
        ]:  # otherwise it was not a single forward pass
            self._model.learn(padded, len(batch), seconds)
        for call in {call for row in batch for call in row.waiters}:
            call.passes.append(Pass(started, seconds, len(batch)))
        return results

    async def _results(self, batch: list[Row]) -> list[RowResult]:
        """Return a vector or an item error for each text, whatever the engine raises.

        A batch that raises is halved and recomputed until the culprit is alone; one with a text in whose batch the
        process died is split at once.
        """
        if len(batch) > 1 and self.quarantine.suspects([row.key for row in batch]):
            return await self._halved(batch)
        padded = max(row.length for row in batch) * len(batch)
        try:
            results = await self._worker.run(_forward, self._engine, batch, self.quarantine)
        except Exception as error:  # noqa: BLE001 - an engine's exception ends one text, not the thread
            _tell(error, batch)
            if isinstance(error, MemoryError):
                self._stats.out_of_memory += 1
                self._budget.failed(padded)
        else:
            self._progress_at = self._clock()
            self._budget.succeeded(padded, self._wanted_tokens())
            return await self._alone_where_not_finite(batch, results)
        self._progress_at = self._clock()
        if len(batch) == 1:
            return [ItemError.FAILED]
        return await self._halved(batch)

    async def _alone_where_not_finite(self, batch: list[Row], results: list[RowResult]) -> list[RowResult]:
        """Recompute rows that are not finite, each alone: other rows may have caused it."""
        if len(batch) == 1 or ItemError.NOT_FINITE not in results:
            return results
        self._stats.bisected += 1
        return [
            (await self._results([row]))[0] if result is ItemError.NOT_FINITE else result
            for row, result in zip(batch, results, strict=True)
        ]

    async def _halved(self, batch: list[Row]) -> list[RowResult]:
        self._stats.bisected += 1
        middle = len(batch) // 2
        return await self._results(batch[:middle]) + await self._results(batch[middle:])

    def _wanted_tokens(self) -> int:
        return self._engine.facts.batch_tokens if self._engine else BatchLimits().padded_tokens


def _name(facts: EngineFacts) -> str:
    """Name the computing code: another version may survive what this one did not."""
    return " ".join([facts.name, *(f"{library} {version}" for library, version in sorted(facts.versions.items()))])


def _tell(error: Exception, batch: Sequence[Row]) -> None:
    """Log a failed pass; the traceback comes with the text that fails alone.

    The engine's message is shown, because engines get token ids and have no text to quote.
    """
    tell = logs.get().exception if len(batch) == 1 else logs.get().warning
    lengths = [row.length for row in batch]
    requests = sorted({call.request_id for row in batch for call in row.waiters if call.request_id})
    tell("a forward pass failed", error=repr(error), rows=len(batch), tokens=lengths, request_ids=requests)


def _forward(engine: Engine | None, batch: Sequence[Row], quarantine: Quarantine) -> list[RowResult]:
    """Run the engine, on the worker's thread; an invalid vector becomes an error."""
    if engine is None:
        raise RuntimeError("rows are waiting, but no engine is attached")
    with quarantine.computing([row.key for row in batch]):
        rows = engine.forward([row.encoded for row in batch])
    if len(rows) != len(batch):
        raise RuntimeError(f"the engine returned {len(rows)} rows for {len(batch)} texts")
    width = engine.facts.space.dimensions * wire.FLOAT32_BYTES
    return [row if len(row) == width and wire.is_sound(row) else ItemError.NOT_FINITE for row in rows]
