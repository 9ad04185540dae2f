"""What the documents need of a store: transactions, in which they speak SQL and write memories.

The SQL is what SQLite and PostgreSQL have in common, with numbered parameters (`?1`). Moments are microseconds since
1970; lists are JSON arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from memory_mcp.domain.models import Embedded, NewMemory

T = TypeVar("T")
SqlValue = str | int | float | bytes | None


class SqlSession(Protocol):
    """One transaction, for SQL that all stores have in common."""

    @property
    def now(self) -> int:
        """The time of its writes, by the clock that all processes of the store share."""
        ...

    def rows(self, sql: str, *parameters: SqlValue) -> list[tuple[SqlValue, ...]]:
        """Return all rows of a query, or of a write that returns some."""
        ...

    def run(self, sql: str, *parameters: SqlValue) -> int:
        """Write; return the number of rows that changed."""
        ...

    def run_many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Write once for each row of parameters."""
        ...

    def texts(self, parameter: int) -> str:
        """Return the query for the strings in a parameter that is a JSON array."""
        ...

    def keys(self, parameter: int) -> str:
        """Return the query for the integers in a parameter that is a JSON array."""
        ...

    @property
    def machine(self) -> str:
        """The column behind the path of a watched folder, with a comma, where machines share the store; else ""."""
        ...

    def is_here(self, table: str) -> str:
        """Return the condition that a row of jobs or watches, by its alias, belongs to this machine."""
        ...

    def locking(self, table: str) -> str:
        """Return what ends a query so that its rows of a table, by its alias, stay as they are until the commit."""
        ...


class DocumentSession(SqlSession, Protocol):
    """One transaction, in which memories change too."""

    def create(self, new: NewMemory, embedded: Embedded) -> int:
        """Write a memory whatever is there; return its key."""
        ...

    def delete(self, memories: Iterable[tuple[int, str, str]]) -> None:
        """Mark live memories, each with its key, id and namespace, as deleted."""
        ...

    def add_tags(self, namespace: str, key: int, tags: Iterable[str]) -> None:
        """Add tags to a memory; skips those that it has already, ignoring case."""
        ...

    def log_change(self, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
        """Append to the change log."""
        ...


class DocumentTransactions(Protocol):
    """A store's transactions."""

    async def read(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        """Run work that only reads, of one namespace or of all, on one snapshot."""
        ...

    async def write(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        """Run work in one transaction, while no other process writes documents; on return it is on disk."""
        ...


def first(rows: Sequence[tuple[SqlValue, ...]]) -> SqlValue:
    """Return the first column of the first row; None if there is no row."""
    return rows[0][0] if rows else None
