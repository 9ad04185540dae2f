"""The scheduler with a clock of its own: what cannot be seen from the socket."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence

import pytest

from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.engines.hash_engine import hash_vector
from embedder_daemon.errors import DeadlineError, OverloadedError
from embedder_daemon.scheduler.admission import Admission
from embedder_daemon.scheduler.cost import TRUSTED
from embedder_daemon.scheduler.lanes import Lanes
from embedder_daemon.scheduler.packing import BatchLimits, QueueLane
from embedder_daemon.scheduler.queue import QueuedCall
from embedder_daemon.scheduler.scheduler import Outcome, Scheduler
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.stats import Stats
from tests.daemon.daemonkit import GateEngine, until


class Clock:
    """Time that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Run a forward thread that ends with the test."""
    worker = Worker("test")
    yield worker
    assert worker.close(5)


def _encoded(engine: GateEngine, *texts: str) -> list[Encoded]:
    return engine.encode(texts, EmbedTask.DOCUMENT)


async def _run(scheduler: Scheduler, texts: list[Encoded], deadline: float = math.inf) -> Outcome:
    return await scheduler.submit(texts, lane=QueueLane.INTERACTIVE, client="", deadline=deadline)


async def test_rows_past_their_deadline_are_dropped_at_packing(worker: Worker) -> None:
    """A waiting call whose deadline passes gets DeadlineError, its rows are counted and never computed."""
    clock, stats, engine = Clock(), Stats(0.0), GateEngine(is_open=False)
    scheduler = Scheduler(worker, stats, 1000, clock)
    scheduler.attach(engine)
    first = asyncio.create_task(_run(scheduler, _encoded(engine, "first")))
    await asyncio.to_thread(until, engine.entered.is_set, "the first batch runs")
    late = asyncio.create_task(_run(scheduler, _encoded(engine, "late", "later"), deadline=clock() + 1))
    kept = asyncio.create_task(_run(scheduler, _encoded(engine, "kept"), deadline=clock() + 9))
    await asyncio.sleep(0)  # both are queued now
    clock.now += 2
    engine.gate.set()
    assert (await kept).rows == [hash_vector("kept")]
    with pytest.raises(DeadlineError):
        await late
    await first
    assert (stats.expired, stats.rows, scheduler.queued(QueueLane.INTERACTIVE)) == (2, 2, 0)


async def test_no_texts_need_no_engine(worker: Worker) -> None:
    """An empty submission is answered at once."""
    assert (await _run(Scheduler(worker, Stats(0.0), 1000), [])).rows == []


async def test_rows_without_an_engine_fail_alone(worker: Worker) -> None:
    """A batch that meets no engine gets item errors, and the scheduler lives on."""
    engine, scheduler = GateEngine(), Scheduler(worker, Stats(0.0), 1000)
    texts = _encoded(engine, "x")
    assert (await _run(scheduler, texts)).rows == ["failed"]
    scheduler.attach(engine)
    assert (await _run(scheduler, texts)).rows == [hash_vector("x")]


async def test_a_cancelled_call_in_a_running_batch_harms_nobody(worker: Worker) -> None:
    """The batch ends, the caller that stayed gets its vector."""
    engine, scheduler = GateEngine(is_open=False), Scheduler(worker, Stats(0.0), 1000)
    scheduler.attach(engine)
    leaver = asyncio.create_task(_run(scheduler, _encoded(engine, "leaver")))
    await asyncio.to_thread(until, engine.entered.is_set, "the batch runs")
    leaver.cancel()
    stayer = asyncio.create_task(_run(scheduler, _encoded(engine, "stayer")))
    engine.gate.set()
    assert (await stayer).rows == [hash_vector("stayer")]
    assert leaver.cancelled()


def test_the_retry_time_follows_the_backlog() -> None:
    """It is what is predicted for the texts that are here, within both bounds."""
    seconds_per_text = 0.001
    admission = Admission(1000, lambda texts: texts * seconds_per_text)

    def retry_after() -> int:
        with pytest.raises(OverloadedError) as caught, admission.hold(1001, 0):
            pass
        return caught.value.retry_after_ms

    assert retry_after() == 50
    with admission.hold(500, 0):
        assert retry_after() == 500
        seconds_per_text = 1.0
        assert retry_after() == 30_000
    assert admission.texts == 0


async def test_a_worker_hands_on_what_was_raised(worker: Worker) -> None:
    """An exception reaches the awaiting task; the thread lives on; a job nobody waits for is skipped."""
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(pow, 2, 3) == 8
    engine = GateEngine(is_open=False)
    busy = asyncio.create_task(worker.run(engine.forward, _encoded(engine, "x")))
    await asyncio.to_thread(until, engine.entered.is_set, "the thread is busy")
    skipped: list[int] = []
    waiting = asyncio.create_task(worker.run(skipped.append, 1))
    await asyncio.sleep(0)  # it is queued now
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    engine.gate.set()
    await busy
    assert await worker.run(len, skipped) == 0


async def test_what_cannot_be_in_time_is_refused_before_computing(worker: Worker) -> None:
    """Once the speed is known, a call behind a backlog is refused at once; a patient or an endless one waits."""
    clock, stats, engine = Clock(), Stats(0.0), GateEngine()
    scheduler = Scheduler(worker, stats, 1000, clock)
    scheduler.attach(engine)
    for number in range(TRUSTED):
        await _run(scheduler, _encoded(engine, f"teach {number}"), deadline=clock() + 1e-9)
    engine.gate.clear()
    engine.entered.clear()
    long = ["word " * 200] * 60
    calls = [asyncio.create_task(_run(scheduler, _encoded(engine, *long), deadline=clock() + 9))]
    await asyncio.to_thread(until, engine.entered.is_set, "the backlog runs")
    with pytest.raises(DeadlineError, match="deadline"):
        await _run(scheduler, _encoded(engine, "late"), deadline=clock() + 1e-6)
    assert (stats.shed, stats.rows) == (1, TRUSTED)
    calls += [asyncio.create_task(_run(scheduler, _encoded(engine, "x"), deadline=clock() + s)) for s in (9, math.inf)]
    await asyncio.sleep(0)  # they are queued now
    engine.gate.set()
    assert [len(outcome.rows) for outcome in await asyncio.gather(*calls)] == [60, 1, 1]


async def test_a_quiet_client_is_not_refused_for_a_chatty_one(worker: Worker) -> None:
    """What is predicted for a client's one text is a turn of the others, and not their backlog."""
    engine, lanes, limits = GateEngine(), Lanes(), BatchLimits(seconds=0.02)
    future = asyncio.get_running_loop().create_future()
    chatty = _encoded(engine, *["many words " * 50] * 500)
    lanes.join(QueuedCall(QueueLane.BULK, "chatty", math.inf, 0.0, future, [None] * 500, 500), chatty)
    quiet = lanes.ahead_s(QueueLane.BULK, "quiet", _encoded(engine, "one"), limits)
    assert limits.cost.seconds(1, 1) <= quiet < 0.05
    assert lanes.ahead_s(QueueLane.BULK, "chatty", _encoded(engine, "one"), limits) > 1.0


async def test_texts_that_share_a_row_are_predicted_once(worker: Worker) -> None:
    """A call of many equal texts, which are being computed already, is not refused for their number."""
    clock, stats, engine = Clock(), Stats(0.0), GateEngine()
    scheduler = Scheduler(worker, stats, 1000, clock)
    scheduler.attach(engine)
    for number in range(TRUSTED):
        await _run(scheduler, _encoded(engine, f"teach {number}"))
    engine.gate.clear()
    engine.entered.clear()
    text = "word " * 200

    async def call(count: int, deadline: float) -> Outcome:
        texts = _encoded(engine, *[text] * count)
        return await scheduler.submit(
            texts, lane=QueueLane.BULK, client="", deadline=deadline, keys=[text.encode()] * count
        )

    first = asyncio.create_task(call(1, math.inf))
    await asyncio.to_thread(until, engine.entered.is_set, "it is computed")
    second = asyncio.create_task(call(256, clock() + 1e-3))
    await asyncio.sleep(0)  # it has joined now
    assert stats.shed == 0
    engine.gate.set()
    assert (await second).rows == [hash_vector(text)] * 256
    await first


class RaisingEngine(GateEngine):
    """Takes a second of the clock for each pass, and raises over a lone text or over several."""

    def __init__(self, clock: Clock, *, alone: bool) -> None:
        super().__init__()
        self.clock = clock
        self.alone = alone

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute what it can."""
        self.clock.now += 1
        rows = super().forward(batch)
        if self.alone == (len(batch) == 1):
            raise RuntimeError("no")
        return rows


async def test_what_raises_teaches_nothing(worker: Worker) -> None:
    """Passes over lone texts that raised tell nothing about speed, so that no call is refused by them."""
    clock, stats = Clock(), Stats(0.0)
    engine, scheduler = RaisingEngine(clock, alone=True), Scheduler(worker, stats, 1000, clock)
    scheduler.attach(engine)
    for number in range(2 * TRUSTED):
        assert (await _run(scheduler, _encoded(engine, f"bad {number}"))).rows == ["failed"]
    engine.alone = False
    engine.gate.clear()
    engine.entered.clear()
    first = asyncio.create_task(_run(scheduler, _encoded(engine, "first")))
    await asyncio.to_thread(until, engine.entered.is_set, "the first batch runs")
    second = asyncio.create_task(_run(scheduler, _encoded(engine, "second"), deadline=clock() + 0.1))
    await asyncio.sleep(0)  # it is queued now
    assert (scheduler.queued(QueueLane.INTERACTIVE), stats.shed) == (1, 0)
    engine.gate.set()
    assert (await second).rows == [hash_vector("second")]
    await first


async def test_half_a_batch_is_progress(worker: Worker) -> None:
    """While a batch that raised is computed in parts, no stall is longer than one pass."""
    clock = Clock()
    engine, scheduler = RaisingEngine(clock, alone=False), Scheduler(worker, Stats(0.0), 1000, clock)
    stalls: list[float] = []
    worker_forward = engine.forward

    def forward(batch: Sequence[Encoded]) -> list[bytes]:
        stalls.append(scheduler.stalled_s())
        return worker_forward(batch)

    engine.forward = forward  # type: ignore[method-assign]  # looks at the scheduler as the watchdog does
    scheduler.attach(engine)
    await _run(scheduler, _encoded(engine, "a", "b", "c", "d"))
    assert len(stalls) == 7
    assert set(stalls) == {0.0}
