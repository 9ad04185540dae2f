"""Both lanes: which of them is next, who waits in them, and who has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.packing import BULK_SHARE, BatchLimits, QueueLane, pick_lane
from embedder_daemon.scheduler.queue import LaneQueue, Load, QueuedCall, Row


class Lanes:
    """Interactive first; bulk gets its share of the time."""

    def __init__(self) -> None:
        self.queues = {lane: LaneQueue(lane) for lane in QueueLane}
        self._calls: dict[QueuedCall, None] = {}
        self._in_flight: dict[tuple[QueueLane, bytes], Row] = {}
        self._owed_s = 0.0

    @property
    def calls(self) -> Iterator[QueuedCall]:
        """Everybody who waits for an answer."""
        return iter(list(self._calls))

    def join(self, call: QueuedCall, texts: Sequence[Encoded], keys: Sequence[bytes] = ()) -> int:
        """Queue a call's texts; returns how many share the row of an equal one. Whoever joins also leaves.

        Args:
            call: who waits.
            texts: what is to be computed.
            keys: one for each text, or none at all; texts of one key have one vector.
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
        """Return the texts that would not share a row, of an equal one among them or in flight."""
        seen = set[bytes]()
        fresh = []
        for text, key in zip(texts, keys or repeat(b""), strict=False):
            if not key or (key not in seen and self._shared(lane, key) is None):
                fresh.append(text)
            seen.add(key)
        return fresh

    def ahead_s(self, lane: QueueLane, client: str, texts: Sequence[Encoded], limits: BatchLimits) -> float:
        """Predict how long a client's new texts take from the next batch on, theirs included.

        Clients take turns: each other one delays them by no more batches than they need themselves.
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
        """Return the row of this key that is not computed yet; interactive does not wait for bulk's."""
        row = self._in_flight.get((QueueLane.INTERACTIVE, key))
        if row is None and lane is QueueLane.BULK:
            row = self._in_flight.get((QueueLane.BULK, key))
        return row

    def finish(self, batch: Sequence[Row]) -> None:
        """Forget rows that were computed: who asks now asks anew."""
        for row in batch:
            self._in_flight.pop((row.lane, row.key), None)

    def leave(self, call: QueuedCall) -> int:
        """Drop the rows that wait for this call alone; returns how many of its texts waited."""
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
        """Return the calls of which a text waits past their deadline."""
        return [call for call in self._calls if call.deadline <= now and any(row.waiting for row in call.rows)]

    def next_batch(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the rows of the next batch; none when nothing waits."""
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
        """Keep what bulk may claim; neither lane claims anything for batches during which it did not wait.

        Bulk pays back what a batch took over its claim.
        """
        if not contended:
            self._owed_s = 0.0
        elif lane is QueueLane.BULK:
            self._owed_s -= seconds
        else:
            self._owed_s += seconds * BULK_SHARE / (1 - BULK_SHARE)
