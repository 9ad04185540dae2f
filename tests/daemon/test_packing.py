"""Properties of packing: pure functions and the queue, without clock and threads."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.cost import Cost
from embedder_daemon.scheduler.lanes import Lanes
from embedder_daemon.scheduler.packing import (
    BULK_SHARE,
    BUSY_QUANTUM_S,
    CALM_QUANTUM_S,
    BatchLimits,
    QueueLane,
    neighbourhood,
    pick_lane,
    quantum_s,
)
from embedder_daemon.scheduler.queue import LaneQueue, QueuedCall


@dataclass(frozen=True)
class Length:
    """A row that is nothing but long."""

    length: int


LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=60)
LIMITS = st.builds(BatchLimits, st.integers(1, 40), st.integers(1, 3000))


@given(LENGTHS, LIMITS, st.data())
def test_a_batch_holds_its_anchor_and_keeps_its_limits(
    lengths: list[int], limits: BatchLimits, data: st.DataObject
) -> None:
    """The anchor always goes; rows, padded tokens and padding stay within bounds, but for a lone long row."""
    rows = [Length(length) for length in sorted(lengths)]
    anchor = data.draw(st.integers(0, len(rows) - 1))
    chosen = neighbourhood(rows, anchor, limits)
    batch = rows[chosen]
    assert chosen.start <= anchor < chosen.stop
    assert len(batch) <= limits.rows
    assert len(batch) == 1 or batch[-1].length * len(batch) <= limits.padded_tokens
    assert len(batch) == 1 or batch[-1].length <= 2 * batch[0].length + 16


@given(st.integers(1, 100), st.integers(2, 40))
def test_equal_rows_fill_a_batch(length: int, rows: int) -> None:
    """Rows of one length are taken until the limits, from either side of the anchor."""
    waiting = [Length(length)] * 50
    for anchor in (0, 25, 49):
        chosen = neighbourhood(waiting, anchor, BatchLimits(rows, 10_000))
        assert chosen.stop - chosen.start == rows


@given(LENGTHS, st.floats(0.005, 0.1), st.data())
def test_a_batch_keeps_its_quantum(lengths: list[int], seconds: float, data: st.DataObject) -> None:
    """Its predicted time is within the quantum, but for a lone row, and no neighbour that fits is left out."""
    rows = [Length(length) for length in sorted(lengths)]
    limits = BatchLimits(seconds=seconds)
    chosen = neighbourhood(rows, data.draw(st.integers(0, len(rows) - 1)), limits)
    batch = rows[chosen]
    assert len(batch) == 1 or Cost().seconds(batch[-1].length * len(batch), len(batch)) <= limits.most_s
    if chosen.stop < len(rows) and rows[chosen.stop].length <= 2 * batch[0].length:
        assert not limits.fit(rows[chosen.stop].length, len(batch) + 1)


@given(st.floats(1e-3, 0.2), st.integers(1, 250), st.integers(1, 256))
def test_a_backlog_is_predicted_as_it_is_cut(base_s: float, length: int, rows: int) -> None:
    """However much a pass costs before its first token, a call's predicted time is that of the batches it becomes."""

    async def drain() -> None:
        lanes, limits = Lanes(), BatchLimits(seconds=BUSY_QUANTUM_S, cost=Cost(base_s=base_s))
        texts = [_text(length)] * rows
        predicted = lanes.ahead_s(QueueLane.BULK, "x", texts, limits)
        lanes.join(_call("x", rows), texts)
        spent = 0.0
        while batch := lanes.next_batch(limits):
            spent += limits.cost.seconds(length * len(batch), len(batch))
        assert spent / 2 <= predicted <= 2 * spent

    asyncio.run(drain())


def test_batches_are_short_while_interactive_calls_were_seen() -> None:
    """Two seconds after the last one they get longer."""
    assert quantum_s(0.0) == quantum_s(1.9) == BUSY_QUANTUM_S
    assert quantum_s(2.0) == quantum_s(math.inf) == CALM_QUANTUM_S


@given(st.lists(st.tuples(st.integers(1, 250), st.integers(1, 250)), min_size=1, max_size=5))
def test_bulk_gets_a_fifth_of_the_time_while_both_wait(sizes: list[tuple[int, int]]) -> None:
    """However long the rows of either lane, interactive goes first and bulk is never far below its share."""

    async def contend() -> None:
        lanes, spent = Lanes(), dict.fromkeys(QueueLane, 0.0)
        limits = BatchLimits(seconds=BUSY_QUANTUM_S)
        largest = Cost().seconds(250, 1) + BUSY_QUANTUM_S
        for step in range(200):
            for lane, length in zip(QueueLane, sizes[step % len(sizes)], strict=True):
                lanes.join(_call("x", 4, lane=lane), [_text(length)] * 4)
            batch = lanes.next_batch(limits)
            assert step or batch[0].lane is QueueLane.INTERACTIVE
            spent[batch[0].lane] += limits.cost.seconds(batch[-1].length * len(batch), len(batch))
            assert spent[QueueLane.BULK] >= BULK_SHARE * sum(spent.values()) - largest
            assert spent[QueueLane.BULK] <= BULK_SHARE * sum(spent.values()) + largest

    asyncio.run(contend())


def test_a_lone_lane_goes_at_once() -> None:
    """Nothing waiting is no lane, and whoever waits alone is next, whatever is owed."""
    assert pick_lane(interactive=False, bulk_s=0.0, owed_s=1.0) is None
    assert pick_lane(interactive=False, bulk_s=1.0, owed_s=0.0) is QueueLane.BULK
    assert pick_lane(interactive=True, bulk_s=0.0, owed_s=9.0) is QueueLane.INTERACTIVE


def _add(queue: LaneQueue, call: QueuedCall, texts: list[Encoded]) -> None:
    queue.add(call.client, [queue.row(call, index, text, b"") for index, text in enumerate(texts)])


def _text(length: int) -> Encoded:
    return Encoded((0,) * length, length, truncated=False, consumed_chars=1)


def _call(client: str, rows: int, deadline: float = math.inf, lane: QueueLane = QueueLane.BULK) -> QueuedCall:
    future = asyncio.get_running_loop().create_future()
    return QueuedCall(lane, client, deadline, 0.0, future, [None] * rows, rows)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20)), min_size=1, max_size=12), LIMITS)
def test_every_row_leaves_the_queue_once(calls: list[tuple[str, int]], limits: BatchLimits) -> None:
    """Whatever comes, each row is taken exactly once, and each client's oldest row within one round of turns."""

    async def drain() -> None:
        queue = LaneQueue(QueueLane.BULK)
        for client, rows in calls:
            _add(queue, _call(client, rows), [_text(7 * row % 50 + 1) for row in range(rows)])
        total, seen, first_round = len(queue), [], set()
        clients = {client for client, _ in calls}
        while queue:
            batch = queue.take(limits)
            seen += [(call, index) for row in batch for call, (index,) in row.waiters.items()]
            first_round |= {row.client for row in batch}
            assert len(first_round) == len(clients) or len(seen) < total
        assert len(seen) == len(set(seen)) == total
        assert (queue.load.tokens, queue.load.rows, queue.shares) == (0, 0, {})

    asyncio.run(drain())


async def test_a_new_client_waits_one_round_at_most() -> None:
    """Two clients with many rows and one that comes later alternate."""
    queue = LaneQueue(QueueLane.BULK)
    texts = [_text(1)] * 10
    _add(queue, _call("a", 10), texts)
    _add(queue, _call("b", 10), texts)
    turns = [queue.take(BatchLimits(1, 10))[0].client for _ in range(4)]
    _add(queue, _call("c", 1), texts[:1])
    turns += [queue.take(BatchLimits(1, 10))[0].client for _ in range(3)]
    assert turns[:4] == ["a", "b", "a", "b"]
    assert "c" in turns[4:]


async def test_leaving_and_expiry_touch_one_call_only() -> None:
    """A call that ends takes its own rows along; a call past its deadline is found while a row of it waits."""
    lanes = Lanes()
    late, kept = _call("a", 3, deadline=5.0), _call("a", 2, deadline=50.0)
    lanes.join(late, [_text(3)] * 3)
    lanes.join(kept, [_text(2)] * 2)
    assert lanes.expired(4.9) == []
    assert lanes.expired(5.0) == [late]
    assert lanes.leave(late) == 3
    assert lanes.leave(late) == 0
    assert [next(iter(row.waiters)) for row in lanes.queues[QueueLane.BULK].rows] == [kept, kept]
    assert len(lanes.next_batch(BatchLimits())) == 2
    assert lanes.expired(60.0) == []


async def test_equal_texts_wait_in_one_row() -> None:
    """Calls of one lane share it, it goes at each one's turn, and it stays while anybody waits."""
    lanes, queue = Lanes(), LaneQueue(QueueLane.BULK)
    lanes.queues[QueueLane.BULK] = queue
    first, second = _call("a", 3), _call("b", 1)
    assert lanes.join(first, [_text(1), _text(90), _text(90)], [b"x", b"y", b"y"]) == 1
    assert lanes.join(second, [_text(90)], [b"y"]) == 1
    assert len(lanes.next_batch(BatchLimits())) == 1
    assert lanes.leave(first) == 2
    (row,) = lanes.next_batch(BatchLimits())
    assert list(row.waiters) == [second]
    lanes.finish([row])
    assert lanes.join(_call("a", 1), [_text(90)], [b"y"]) == 0


async def test_interactive_does_not_wait_for_bulks_row() -> None:
    """Bulk shares interactive's row, and not the other way round; a row of nobody is gone."""
    lanes = Lanes()
    bulk, query = _call("a", 1), _call("b", 1, lane=QueueLane.INTERACTIVE)
    assert lanes.join(bulk, [_text(9)], [b"x"]) == 0
    assert lanes.join(query, [_text(9)], [b"x"]) == 0
    assert lanes.join(late := _call("c", 1), [_text(9)], [b"x"]) == 1
    assert [lanes.leave(call) for call in (bulk, query)] == [1, 1]
    assert [row.waiters for row in lanes.next_batch(BatchLimits())] == [{late: [0]}]
    assert lanes.next_batch(BatchLimits()) == []
