"""Properties of packing: pure functions and the queue, without clock and threads."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.packing import BULK_EVERY, BatchLimits, Lane, neighbourhood, pick_lane
from embedder_daemon.scheduler.queue import Call, LaneQueue


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


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_bulk_gets_every_fifth_batch_while_it_waits(steps: list[tuple[bool, bool]]) -> None:
    """Interactive goes first, but never five times in a row over waiting bulk; nothing waiting is None."""
    passed_over = 0
    for interactive, bulk in steps:
        lane = pick_lane(interactive=interactive, bulk=bulk, passed_over=passed_over)
        assert (lane is None) == (not interactive and not bulk)
        assert lane is not Lane.INTERACTIVE or interactive
        passed_over = passed_over + 1 if lane is Lane.INTERACTIVE and bulk else 0
        assert passed_over < BULK_EVERY


def _call(client: str, rows: int, deadline: float = math.inf) -> Call:
    future = asyncio.get_running_loop().create_future()
    return Call(Lane.BULK, client, deadline, 0.0, future, [None] * rows, rows)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20)), min_size=1, max_size=12), LIMITS)
def test_every_row_leaves_the_queue_once(calls: list[tuple[str, int]], limits: BatchLimits) -> None:
    """Whatever comes, each row is taken exactly once, and each client's oldest row within one round of turns."""

    async def drain() -> None:
        queue = LaneQueue()
        for client, rows in calls:
            texts = [Encoded((0,) * (7 * row % 50 + 1), 1, truncated=False, consumed_chars=1) for row in range(rows)]
            queue.add(_call(client, rows), texts)
        total, seen, first_round = len(queue), [], set()
        clients = {client for client, _ in calls}
        while queue:
            batch = queue.take(limits)
            seen += [(id(row.call), row.index) for row in batch]
            first_round |= {row.call.client for row in batch}
            assert len(first_round) == len(clients) or len(seen) < total
        assert len(seen) == len(set(seen)) == total

    asyncio.run(drain())


async def test_a_new_client_waits_one_round_at_most() -> None:
    """Two clients with many rows and one that comes later alternate."""
    queue = LaneQueue()
    row = Encoded((1,), 1, truncated=False, consumed_chars=1)
    queue.add(_call("a", 10), [row] * 10)
    queue.add(_call("b", 10), [row] * 10)
    turns = [queue.take(BatchLimits(1, 10))[0].call.client for _ in range(4)]
    queue.add(_call("c", 1), [row])
    turns += [queue.take(BatchLimits(1, 10))[0].call.client for _ in range(3)]
    assert turns[:4] == ["a", "b", "a", "b"]
    assert "c" in turns[4:]


async def test_discard_and_expiry_touch_one_call_only() -> None:
    """A call that ends takes its own rows along; a call past its deadline is found."""
    queue = LaneQueue()
    row = Encoded((1,), 1, truncated=False, consumed_chars=1)
    late, kept = _call("a", 3, deadline=5.0), _call("a", 2, deadline=50.0)
    queue.add(late, [row] * 3)
    queue.add(kept, [row] * 2)
    assert queue.expired(4.9) == []
    assert queue.expired(5.0) == [late]
    assert queue.discard(late) == 3
    assert [waiting.call for waiting in queue.rows] == [kept, kept]
