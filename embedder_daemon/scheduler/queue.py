"""The rows of one lane that wait, and whose turn it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter

from embedder_api.v1.contract import ItemError

from embedder_daemon.engines.base import Encoded
from embedder_daemon.errors import DeadlineError
from embedder_daemon.scheduler.packing import BatchLimits, Lane, neighbourhood

RowResult = bytes | ItemError
"""A vector, or what was wrong with it."""


@dataclass(slots=True, eq=False)
class Call:
    """One caller's rows on their way through the scheduler."""

    lane: Lane
    client: str
    deadline: float
    """On the scheduler's clock; infinity is none."""
    submitted: float
    done: asyncio.Future[None]
    results: list[RowResult | None]
    missing: int
    compute_s: float = 0.0
    """Forward passes that held its rows."""

    def settle(self, index: int, result: RowResult) -> None:
        """Fill in one row; the last one wakes the caller."""
        self.results[index] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)

    def expire(self) -> None:
        """Tell the caller that its deadline passed."""
        if not self.done.done():
            self.done.set_exception(DeadlineError("the deadline passed while the texts waited for their turn"))


@dataclass(slots=True, eq=False)
class Row:
    """One text that waits."""

    call: Call
    index: int
    encoded: Encoded
    length: int
    arrival: int


@dataclass(slots=True)
class LaneQueue:
    """Rows sorted by length; clients take turns, and on its turn a client's oldest row goes first."""

    rows: list[Row] = field(default_factory=list)
    _tickets: dict[str, int] = field(default_factory=dict)
    _arrivals: count[int] = field(default_factory=count)
    _turn: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, call: Call, texts: list[Encoded]) -> None:
        """Queue a call's rows; a client that is new gets its turn after those who wait already."""
        self.rows += [
            Row(call, index, encoded, len(encoded.ids), next(self._arrivals)) for index, encoded in enumerate(texts)
        ]
        self.rows.sort(key=attrgetter("length"))
        self._tickets.setdefault(call.client, self._turn)

    def discard(self, call: Call) -> int:
        """Drop the rows of a call; returns how many."""
        before = len(self.rows)
        self.rows = [row for row in self.rows if row.call is not call]
        return before - len(self.rows)

    def expired(self, now: float) -> list[Call]:
        """Return the calls that wait here past their deadline."""
        return list({id(row.call): row.call for row in self.rows if row.call.deadline <= now}.values())

    def take(self, limits: BatchLimits) -> list[Row]:
        """Remove and return the next batch; there must be a row."""
        oldest = min(range(len(self.rows)), key=self._order)
        client = self.rows[oldest].call.client
        chosen = neighbourhood(self.rows, oldest, limits)
        batch = self.rows[chosen]
        del self.rows[chosen]
        self._turn += 1
        self._tickets[client] = self._turn
        waiting = {row.call.client for row in self.rows}
        self._tickets = {name: ticket for name, ticket in self._tickets.items() if name in waiting}
        return batch

    def _order(self, position: int) -> tuple[int, int]:
        row = self.rows[position]
        return self._tickets[row.call.client], row.arrival
