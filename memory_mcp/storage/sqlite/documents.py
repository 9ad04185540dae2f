"""The documents in the memories' file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

import apsw

from memory_mcp.domain.models import Embedded, NewMemory
from memory_mcp.storage.documents.session import DocumentSession, SqlValue
from memory_mcp.storage.rows import digest
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.connection import Database
from memory_mcp.storage.sqlite.records.writes import create, insert_tags, mark_deleted

T = TypeVar("T")
_EACH: Final = "SELECT value FROM json_each(?{})"


class SqliteSession:
    """See `storage.documents.session.DocumentSession`; the connection is inside a transaction."""

    machine: Final = ""

    def __init__(self, db: apsw.Connection, now: int = 0) -> None:
        self._db = db
        self.now: Final = now

    def rows(self, sql: str, *parameters: SqlValue) -> list[tuple[SqlValue, ...]]:
        return cast("list[tuple[SqlValue, ...]]", self._db.execute(sql, parameters).fetchall())

    def run(self, sql: str, *parameters: SqlValue) -> int:
        self._db.execute(sql, parameters)
        return self._db.changes()

    def run_many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        self._db.executemany(sql, rows)

    def texts(self, parameter: int) -> str:
        return _EACH.format(parameter)

    def keys(self, parameter: int) -> str:
        return _EACH.format(parameter)

    def is_here(self, table: str) -> str:
        del table
        return "1"

    def locking(self, table: str) -> str:
        del table  # nobody else writes
        return ""

    def create(self, new: NewMemory, embedded: Embedded) -> int:
        key, _ = create(self._db, new, embedded, digest(new.content), self.now)
        return key

    def delete(self, memories: Iterable[tuple[int, str, str]]) -> None:
        mark_deleted(self._db, memories, self.now)

    def add_tags(self, namespace: str, key: int, tags: Iterable[str]) -> None:
        del namespace  # a key is of one
        insert_tags(self._db, key, tags)

    def log_change(self, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
        log_change(self._db, self.now, kind, namespace, ids, tags)


class SqliteTransactions:
    """See `storage.documents.session.DocumentTransactions`; one process at a time writes to the file."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        """Write to a file; `now` returns microseconds since 1970."""
        self._database = database
        self._now = now

    async def read(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        del namespace  # the conditions of the queries narrow it
        return await self._database.read(lambda db: work(SqliteSession(db)))

    async def write(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        del namespace
        now = self._now()
        return await self._database.write(lambda db: work(SqliteSession(db, now)))
