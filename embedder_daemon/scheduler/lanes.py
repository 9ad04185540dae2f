"""Both lanes: which of them is next, who waits in them, and who has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.packing import BULK_SHARE, BatchLimits, Lane, pick_lane
from embedder_daemon.scheduler.queue import Call, LaneQueue, Row


class Lanes:
    """Interactive first; bulk gets its share of the time."""

    def __init__(self) -> None:
        self.queues = {lane: LaneQueue(lane) for lane in Lane}
        self._calls: dict[Call, None] = {}
        self._owed_s = 0.0

    @property
    def calls(self) -> Iterator[Call]:
        """Everybody who waits for an answer."""
        return iter(list(self._calls))

    def join(self, call: Call, texts: Sequence[Encoded]) -> None:
        """Queue a call's texts; whoever joins also leaves."""
        self._calls[call] = None
        self.queues[call.lane].add(call, list(enumerate(texts)))

    def leave(self, call: Call) -> int:
        """Drop the rows that wait for this call alone; returns how many of its texts waited."""
        self._calls.pop(call, None)
        if not call.missing:
            return 0
        waiting = [row for row in call.rows if row.waiting]
        call.rows.clear()
        for row in set(waiting):
            row.waiters = [(other, index) for other, index in row.waiters if other is not call]
            if not row.waiters:
                self.queues[row.lane].remove(row)
        return len(waiting)

    def expired(self, now: float) -> list[Call]:
        """Return the calls of which a text waits past their deadline."""
        return [call for call in self._calls if call.deadline <= now and any(row.waiting for row in call.rows)]

    def next_batch(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the rows of the next batch; none when nothing waits."""
        interactive, bulk = self.queues[Lane.INTERACTIVE], self.queues[Lane.BULK]
        bulk_s = limits.at_most_s(bulk.load.tokens, bulk.load.rows) if bulk else 0.0
        lane = pick_lane(interactive=bool(interactive), bulk_s=bulk_s, owed_s=self._owed_s)
        if lane is None:
            return []
        batch = self.queues[lane].take(limits)
        self._account(lane, limits.cost.seconds(batch[-1].length * len(batch), len(batch)), contended=bool(bulk))
        return batch

    def _account(self, lane: Lane, seconds: float, *, contended: bool) -> None:
        """Keep what bulk may claim; it claims nothing for batches during which it did not wait."""
        if lane is Lane.BULK:
            self._owed_s = max(0.0, self._owed_s - seconds)
        elif contended:
            self._owed_s += seconds * BULK_SHARE / (1 - BULK_SHARE)
        else:
            self._owed_s = 0.0
