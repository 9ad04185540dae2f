"""The waiting rows of one lane, and whose turn it is."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter

from embedder_api.v1.contract import ItemError

from embedder_daemon.engines.base import Encoded
from embedder_daemon.scheduler.packing import BatchLimits, QueueLane, neighbourhood

RowResult = bytes | ItemError
"""A vector or an error."""
_ORDER = attrgetter("order")


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass with texts of a call; `began` is on the scheduler's clock."""

    began: float
    seconds: float
    rows: int
    """Texts in the batch, other calls' included."""


@dataclass(slots=True, eq=False)
class QueuedCall:
    """One caller's texts on their way through the scheduler."""

    lane: QueueLane
    client: str
    deadline: float
    """On the scheduler's clock; infinity means none."""
    submitted: float
    done: asyncio.Future[None]
    results: list[RowResult | None]
    missing: int
    rows: list[Row] = field(default_factory=list)
    """Completed when all of its texts have a result."""
    passes: list[Pass] = field(default_factory=list)
    """The forward passes with its rows."""
    request_id: str = ""
    """Its names in the log."""

    def settle(self, index: int, result: RowResult) -> None:
        """Store the result of one text; the last one wakes the caller."""
        self.results[index] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Fail the call."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True, eq=False)
class Row:
    """One text, waiting or being computed, for all calls that asked for it."""

    lane: QueueLane
    client: str
    """The client whose backlog it counts in."""
    encoded: Encoded
    length: int
    order: tuple[int, int]
    """Length and arrival: its sort key among waiting rows."""
    waiters: dict[QueuedCall, list[int]]
    """The calls, each with the index of its text."""
    key: bytes = b""
    """Rows with equal keys have equal vectors; an empty key equals no other."""
    waiting: bool = True

    def settle(self, result: RowResult) -> None:
        """Give the result to all calls."""
        for call, indices in self.waiters.items():
            for index in indices:
                call.settle(index, result)


@dataclass(slots=True)
class Load:
    """How much waits."""

    tokens: int = 0
    rows: int = 0

    def add(self, row: Row, sign: int = 1) -> None:
        """Count an added (1) or removed (-1) row."""
        self.tokens += sign * row.length
        self.rows += sign


class LaneQueue:
    """Rows sorted by length; clients take turns, and a turn starts with the client's oldest row."""

    def __init__(self, lane: QueueLane) -> None:
        self.rows: list[Row] = []
        self.load = Load()
        self.shares: dict[str, Load] = {}
        """By client; a text counts for the client that asked first."""
        self._lane = lane
        self._turns: dict[str, deque[Row]] = {}  # the first client is next; removed rows are skipped
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, call: QueuedCall, index: int, encoded: Encoded, key: bytes) -> Row:
        """Create a row for one text of a call; `add` queues it."""
        length = len(encoded.ids)
        return Row(self._lane, call.client, encoded, length, (length, next(self._arrivals)), {call: [index]}, key)

    def add(self, client: str, rows: Sequence[Row]) -> None:
        """Queue a client's rows; a new client's turn comes after those of waiting clients."""
        if not rows:
            return
        if len(rows) == 1:
            insort(self.rows, rows[0], key=_ORDER)
        else:
            self.rows += rows
            self.rows.sort(key=_ORDER)
        self._turns.setdefault(client, deque()).extend(rows)
        share = self.shares.setdefault(client, Load())
        for row in rows:
            self.load.add(row)
            share.add(row)

    def follow(self, client: str, row: Row) -> None:
        """Let a waiting row also go at this client's turn."""
        self._turns.setdefault(client, deque()).append(row)

    def remove(self, row: Row) -> None:
        """Drop a row that no call waits for any more."""
        place = self._place(row)
        del self.rows[place]
        self._went([row])

    def take(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the next batch; there must be a waiting row."""
        client, oldest = self._next()
        chosen = neighbourhood(self.rows, self._place(oldest), limits)
        batch = self.rows[chosen]
        del self.rows[chosen]
        self._went(batch)
        if client in self._turns:  # to the end of the queue
            self._turns[client] = self._turns.pop(client)
        return batch

    def _place(self, row: Row) -> int:
        return bisect_left(self.rows, row.order, key=_ORDER)

    def _next(self) -> tuple[str, Row]:
        """Return the client whose turn it is and its oldest row; forgets clients without rows."""
        while True:
            client = next(iter(self._turns))
            own = self._turns[client]
            while own and not own[0].waiting:
                own.popleft()
            if own:
                return client, own[0]
            del self._turns[client]

    def _went(self, rows: Sequence[Row]) -> None:
        for row in rows:
            row.waiting = False
            self.load.add(row, -1)
            share = self.shares[row.client]
            share.add(row, -1)
            if not share.rows:
                del self.shares[row.client]
        if not self.rows:
            self._turns.clear()
