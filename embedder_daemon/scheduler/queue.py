"""The rows of one lane that wait, and whose turn it is."""

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
"""A vector, or what was wrong with it."""
_ORDER = attrgetter("order")


@dataclass(slots=True, eq=False)
class QueuedCall:
    """One caller's texts on their way through the scheduler."""

    lane: QueueLane
    client: str
    deadline: float
    """On the scheduler's clock; infinity is none."""
    submitted: float
    done: asyncio.Future[None]
    results: list[RowResult | None]
    missing: int
    rows: list[Row] = field(default_factory=list)
    """What its texts wait for."""
    compute_s: float = 0.0
    """Forward passes that held its rows."""
    request_id: str = ""
    """What the log calls it."""

    def settle(self, index: int, result: RowResult) -> None:
        """Fill in one text; the last one wakes the caller."""
        self.results[index] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell the caller that there will be no answer."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True, eq=False)
class Row:
    """One text that waits or is computed, for everybody who asked for it."""

    lane: QueueLane
    client: str
    """Whose share of the backlog it is."""
    encoded: Encoded
    length: int
    order: tuple[int, int]
    """Length and arrival: its place among the rows that wait."""
    waiters: dict[QueuedCall, list[int]]
    """Calls, and which of their texts it is."""
    key: bytes = b""
    """Rows of one key have one vector; an empty key is like no other."""
    waiting: bool = True

    def settle(self, result: RowResult) -> None:
        """Hand everybody the result."""
        for call, indices in self.waiters.items():
            for index in indices:
                call.settle(index, result)


@dataclass(slots=True)
class Load:
    """How much waits."""

    tokens: int = 0
    rows: int = 0

    def add(self, row: Row, sign: int = 1) -> None:
        """Count a row that came (1) or went (-1)."""
        self.tokens += sign * row.length
        self.rows += sign


class LaneQueue:
    """Rows sorted by length; clients take turns, and on its turn a client's oldest row goes first."""

    def __init__(self, lane: QueueLane) -> None:
        self.rows: list[Row] = []
        self.load = Load()
        self.shares: dict[str, Load] = {}
        """By client; whoever asked first for a text bears it."""
        self._lane = lane
        self._turns: dict[str, deque[Row]] = {}  # the first client is next; rows that went are skipped
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, call: QueuedCall, index: int, encoded: Encoded, key: bytes) -> Row:
        """Return a row for one text of a call; `add` queues it."""
        length = len(encoded.ids)
        return Row(self._lane, call.client, encoded, length, (length, next(self._arrivals)), {call: [index]}, key)

    def add(self, client: str, rows: Sequence[Row]) -> None:
        """Queue rows of a client; a new client's turn comes after those who wait already."""
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
        """Let a row that waits go at this client's turn too."""
        self._turns.setdefault(client, deque()).append(row)

    def remove(self, row: Row) -> None:
        """Drop a row that nobody waits for any more."""
        place = self._place(row)
        del self.rows[place]
        self._went([row])

    def take(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the next batch; there must be a row."""
        client, oldest = self._next()
        chosen = neighbourhood(self.rows, self._place(oldest), limits)
        batch = self.rows[chosen]
        del self.rows[chosen]
        self._went(batch)
        if client in self._turns:  # to the end of the line
            self._turns[client] = self._turns.pop(client)
        return batch

    def _place(self, row: Row) -> int:
        return bisect_left(self.rows, row.order, key=_ORDER)

    def _next(self) -> tuple[str, Row]:
        """Return the client whose turn it is, and its oldest row; forget the clients that have none."""
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
