"""One transaction: what every part of the store runs its SQL in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import psycopg
from psycopg import sql

SCHEMA: Final = "memory_mcp"
"""The schema of our tables; a database holds one store."""

CONNECT_S: Final = 5
"""Seconds that reaching the server may take."""
PgRow = tuple[object, ...]
Connection = psycopg.Connection[PgRow]
Parameters = Sequence[object] | Mapping[str, object]
_REACH: Final = "SELECT set_config('memory_mcp.reach', %s::text[]::text, true)"
_REACH_ALL: Final = "SELECT set_config('memory_mcp.reaches_all', 'on', true)"
Logged = tuple[str, str, list[str], list[str]]
"""Namespace, kind, ids and tags of a write."""


class Session:
    """A transaction on one connection; valid only inside the function that it was given to."""

    def __init__(self, connection: psycopg.Connection[PgRow], now: int, generation: int = 0) -> None:
        self._connection = connection
        self._reached: set[str] = set()
        self._reaches_all = False
        self.now: Final = now
        """Microseconds since 1970 by the server's clock, when the transaction began."""
        self.generation: Final = generation
        """The largest seq of the change log that was there."""
        self.logged: list[Logged] = []
        """What `changes.log_change` was told; written at the end."""
        self.counted: Counter[tuple[str, bool]] = Counter()
        """How many live memories more each partition has; likewise."""
        self.tallied: dict[tuple[str, bool, str], tuple[int, int]] = {}
        """What is added to the counts of search, `lexical.tallies`; likewise."""
        self.first_seq = 0
        """The number of the first of them, when they are written."""
        self.last: list[Callable[[], None]] = []
        """What is done at the end, behind the lock of the change log: updates of rows that all writers share."""

    def execute(self, query: str | sql.Composed, parameters: Parameters = ()) -> psycopg.Cursor[PgRow]:
        """Run a statement; `%s` are its parameters, and a literal percent sign is doubled."""
        return self._connection.execute(cast("sql.Composed", query), parameters or None)

    def rows(self, query: str | sql.Composed, parameters: Parameters = ()) -> list[PgRow]:
        """Return all rows of a statement."""
        return self.execute(query, parameters).fetchall()

    def row(self, query: str | sql.Composed, parameters: Parameters = ()) -> PgRow | None:
        """Return the first row of a statement."""
        return self.execute(query, parameters).fetchone()

    def value(self, query: str | sql.Composed, parameters: Parameters = ()) -> object:
        """Return the first value of the first row; None without one."""
        row = self.row(query, parameters)
        return None if row is None else row[0]

    def run_many(self, query: str | sql.Composed, parameters: Iterable[Parameters]) -> None:
        """Run a statement with each of these parameters, in one exchange with the server."""
        with self._connection.cursor() as cursor:
            cursor.executemany(cast("sql.Composed", query), parameters)

    def reach(self, *namespaces: str) -> None:
        """See and write the rows of these namespaces too, until the transaction ends."""
        if self._reaches_all or self._reached.issuperset(namespaces):
            return
        self._reached.update(namespaces)
        self.execute(_REACH, (sorted(self._reached),))

    def reach_all(self) -> None:
        """See and write the rows of all namespaces: for chores, and for callers whose reach is not bounded."""
        if not self._reaches_all:
            self._reaches_all = True
            self.execute(_REACH_ALL)

    def reach_found(self) -> None:
        """See rows by keys: those of the namespaces that this transaction asked for, or of all if it asked for none."""
        if not self._reached:
            self.reach_all()
