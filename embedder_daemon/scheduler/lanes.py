"""The two lanes: which is next, which calls wait, and which have left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.packing import BULK_SHARE, BatchLimits, QueueLane, pick_lane
from embedder_daemon.scheduler.queue import LaneQueue, Load, QueuedCall, Row


class Lanes:
    """Interactive goes first; bulk gets its share of the time."""

    def __init__(self) -> None:
        self.queues = {lane: LaneQueue(lane) for lane in QueueLane}
        self._calls: dict[QueuedCall, None] = {}
        self._in_flight: dict[tuple[QueueLane, bytes], Row] = {}
        self._owed_s = 0.0

    @property
    def calls(self) -> Iterator[QueuedCall]:
        """All waiting calls."""
        return iter(list(self._calls))

    def join(self, call: QueuedCall, texts: Sequence[Encoded], keys: Sequence[bytes] = ()) -> int:
        """Queue a call's texts; returns how many share the row of an equal text. Every `join` needs a `leave`.

        Args:
            call: the waiting call.
            texts: the texts to compute.
            keys: one for each text, or empty; texts with equal keys have equal vectors.
        """
        self._calls[call] = None
        queue, fresh = self.queues[call.lane], list[Row]()
        for index, (encoded, key) in enumerate(zip(texts, keys or repeat(b""), strict=False)):
            if (row := self._shared(call.lane, key)) is None:
                row = queue.row(call, index, encoded, key)
                fresh.append(row)
                if key:
                    self._in_flight[call.lane, key] = row
            else:
                if row.waiting and call not in row.waiters:
                    self.queues[row.lane].follow(call.client, row)
                row.waiters.setdefault(call, []).append(index)
            call.rows.append(row)
        queue.add(call.client, fresh)
        return len(texts) - len(fresh)

    def fresh(self, lane: QueueLane, texts: Sequence[Encoded], keys: Sequence[bytes] = ()) -> list[Encoded]:
        """Return the texts that would not share the row of an equal text, among these or in flight."""
        seen = set[bytes]()
        fresh = []
        for text, key in zip(texts, keys or repeat(b""), strict=False):
            if not key or (key not in seen and self._shared(lane, key) is None):
                fresh.append(text)
            seen.add(key)
        return fresh

    def ahead_s(self, lane: QueueLane, client: str, texts: Sequence[Encoded], limits: BatchLimits) -> float:
        """Predict the seconds from the next batch until a client's new texts are computed.

        Clients take turns, so each other client delays them by at most as many batches as they need themselves.
        """
        queue, cost = self.queues[lane], limits.cost
        own = queue.shares.get(client, Load())
        tokens, rows = own.tokens + sum(len(text.ids) for text in texts), own.rows + len(texts)
        own_s = cost.backlog_s(tokens, rows, limits.most_s, limits.rows)
        others = (
            min(own_s, cost.backlog_s(share.tokens, share.rows, limits.most_s, limits.rows))
            for name, share in queue.shares.items()
            if name != client
        )
        return own_s + sum(others)

    def _shared(self, lane: QueueLane, key: bytes) -> Row | None:
        """Return the uncomputed row of this key; interactive does not wait for bulk's."""
        row = self._in_flight.get((QueueLane.INTERACTIVE, key))
        if row is None and lane is QueueLane.BULK:
            row = self._in_flight.get((QueueLane.BULK, key))
        return row

    def finish(self, batch: Sequence[Row]) -> None:
        """Forget computed rows: later calls queue new ones."""
        for row in batch:
            self._in_flight.pop((row.lane, row.key), None)

    def leave(self, call: QueuedCall) -> int:
        """Drop the rows that only this call waits for; returns how many of its texts waited."""
        self._calls.pop(call, None)
        if not call.missing:
            return 0
        waiting = {row for row in call.rows if row.waiting}
        call.rows.clear()
        texts = sum(len(row.waiters.pop(call)) for row in waiting)
        for row in waiting:
            if not row.waiters:
                self.queues[row.lane].remove(row)
                self.finish([row])
        return texts

    def expired(self, now: float) -> list[QueuedCall]:
        """Return the calls with a waiting text whose deadline has passed."""
        return [call for call in self._calls if call.deadline <= now and any(row.waiting for row in call.rows)]

    def next_batch(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the rows of the next batch; empty if nothing waits."""
        interactive, bulk = self.queues[QueueLane.INTERACTIVE], self.queues[QueueLane.BULK]
        bulk_s = limits.at_most_s(bulk.load.tokens, bulk.load.rows) if bulk else 0.0
        lane = pick_lane(interactive=bool(interactive), bulk_s=bulk_s, owed_s=self._owed_s)
        if lane is None:
            return []
        batch = self.queues[lane].take(limits)
        other = bulk if lane is QueueLane.INTERACTIVE else interactive
        self._account(lane, limits.cost.seconds(batch[-1].length * len(batch), len(batch)), contended=bool(other))
        return batch

    def _account(self, lane: QueueLane, seconds: float, *, contended: bool) -> None:
        """Update the time that bulk is owed; a lane earns nothing from batches during which it did not wait.

        If a batch took longer than bulk was owed, bulk pays back the rest.
        """
        if not contended:
            self._owed_s = 0.0
        elif lane is QueueLane.BULK:
            self._owed_s -= seconds
        else:
            self._owed_s += seconds * BULK_SHARE / (1 - BULK_SHARE)
