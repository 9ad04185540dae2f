"""One transaction: what every part of the store runs its SQL in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, cast

import psycopg
from psycopg import sql

SCHEMA: Final = "memory_mcp"
"""The schema of our tables; a database holds one store."""

CONNECT_S: Final = 5
"""Seconds that reaching the server may take."""
PgRow = tuple[object, ...]
PgConnection = psycopg.Connection[PgRow]
Parameters = Sequence[object] | Mapping[str, object]
_REACH: Final = "SELECT set_config('memory_mcp.reach', %s::text[]::text, true)"
_REACH_ALL: Final = "SELECT set_config('memory_mcp.reaches_all', 'on', true)"
CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""SQL for the server's time: microseconds since 1970, and not of the transaction's beginning."""
Logged = tuple[str, str, list[str], list[str]]
"""Namespace, kind, ids and tags of a write."""


class Beginning(NamedTuple):
    """How a transaction began."""

    now: int
    """Microseconds since 1970 by the server's clock."""
    generation: int
    """The largest seq of the change log that was there."""
    process: int = 0
    """The server's own number of the process that does it."""
    is_servers: bool = True
    """Whether `now` is the server's clock, and no test's."""


class PgSession:
    """A transaction on one connection; valid only inside the function that it was given to.

    Statements are queued, and sent together with the first whose answer is asked for: an error of one is raised there.
    """

    def __init__(self, connection: PgConnection, pipeline: psycopg.Pipeline, begun: Callable[[], Beginning]) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._begun = begun
        self._beginning: Beginning | None = None
        self._reached: set[str] = set()
        self._reaches_all = False
        self.logged: list[Logged] = []
        """What `changes.log_change` was told; written at the end."""
        self.counted: Counter[tuple[str, bool]] = Counter()
        """How many live memories more each partition has; likewise."""
        self.tallied: dict[tuple[str, bool, str], tuple[int, int]] = {}
        """What is added to the counts of search, `lexical.tallies`; likewise."""
        self.last: list[Callable[[], None]] = []
        """What is done at the end, behind the lock of the change log: updates of rows that all writers share."""

    @property
    def begun(self) -> Beginning:
        """What the server said at the beginning; raises StoreError where its schema is newer than this program."""
        if self._beginning is None:  # no cached_property: before Python 3.12 all threads wait for one that computes it
            self._pipeline.sync()
            self._beginning = self._begun()
        return self._beginning

    @property
    def now(self) -> int:
        """See `Beginning`."""
        return self.begun.now

    @property
    def moment(self) -> str:
        """SQL for the time at which a statement goes on that may have waited; one of its parameters is `now`."""
        return CLOCK if self.begun.is_servers else "%(now)s"

    @property
    def generation(self) -> int:
        """See `Beginning`."""
        return self.begun.generation

    def execute(self, query: str | sql.Composed, parameters: Parameters = ()) -> psycopg.Cursor[PgRow]:
        """Queue a statement; `%s` are its parameters, and a literal percent sign is doubled."""
        return self._connection.execute(cast("sql.Composed", query), parameters or None)

    def rows(self, query: str | sql.Composed, parameters: Parameters = ()) -> list[PgRow]:
        """Return all rows of a statement."""
        return self._answered(self.execute(query, parameters)).fetchall()

    def row(self, query: str | sql.Composed, parameters: Parameters = ()) -> PgRow | None:
        """Return the first row of a statement."""
        return self._answered(self.execute(query, parameters)).fetchone()

    def value(self, query: str | sql.Composed, parameters: Parameters = ()) -> object:
        """Return the first value of the first row; None without one."""
        row = self.row(query, parameters)
        return None if row is None else row[0]

    def changed(self, query: str | sql.Composed, parameters: Parameters = ()) -> int:
        """Return how many rows a statement changes."""
        return self._answered(self.execute(query, parameters)).rowcount

    def _answered(self, cursor: psycopg.Cursor[PgRow]) -> psycopg.Cursor[PgRow]:
        """Send what is queued, and look at how the transaction began before anything of it is believed."""
        self._pipeline.sync()
        _ = self.begun
        return cursor

    def run_many(self, query: str | sql.Composed, parameters: Iterable[Parameters]) -> None:
        """Queue a statement with each of these parameters."""
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
