"""A statement on a SQLite file, which can neither write nor run for ever.

The file is the user's own, named with a statement for it: it is read in this process, with everything off that a
hostile file could use. What strangers made is no source of this kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.paths import absolute
from memory_mcp.domain.sources import SourceAnswer, SourceQuery
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources import sql
from memory_mcp.sources.adapter import FaultError
from memory_mcp.sources.sql import SqlSection

_READING: Final = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_FORBIDDEN: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_STEPS: Final = 10_000
"""Instructions between two looks at whether the question was given up."""
_BUSY_MS: Final = 200
_NO_MATCH: Final = ("fts5: ", "malformed MATCH", "unterminated string", "no such column", "unknown special query")
"""How the messages begin that FTS5 has for a question it cannot read; they quote it."""
_QUOTE: Final = """quote it in the statement: MATCH '"' || replace(:query, '"', '""') || '"'"""


class SqliteSource:
    """See `adapter.SourceAdapter`. Each question has its own connection: nothing stays open or locked."""

    is_repeatable = True
    note = ""

    def __init__(self, name: str, section: SqlSection) -> None:
        try:
            self._path = absolute(section.path, {})
        except ValueError as error:
            raise SettingsError(f"[sources.{name}] path: {error}") from error
        self._section = section

    @property
    def target(self) -> str:
        """See the port."""
        return str(self._path)

    def version(self) -> Hashable:
        """Return size and time of the file and its log."""
        return version_of(self._path)

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port."""
        is_over = False
        try:
            return await in_thread(lambda: self._answer(query, lambda: is_over))
        except apsw.AuthError as error:
            raise FaultError(
                "its statement does more than read", "write a SELECT without extensions and attached files"
            ) from error
        except apsw.SQLError as error:
            raise self._refused(error) from error
        except (apsw.BusyError, apsw.LockedError) as error:
            raise FaultError(f"{self._path.name} is locked by another program", "try again", is_passing=True) from error
        except apsw.Error as error:
            raise FaultError(f"{self._path.name}: {error}", "check path and statement in its section") from error
        finally:
            is_over = True

    async def close(self) -> None:
        """See the port."""

    def _refused(self, error: apsw.SQLError) -> FaultError:
        if "match" in self._section.statement.lower() and str(error).startswith(_NO_MATCH):
            return FaultError("the question is no query of its full-text index", _QUOTE, is_of_query=True)
        return FaultError(f"{self._path.name}: {error}", "check path and statement in its section")

    def _answer(self, query: SourceQuery, is_over: Callable[[], bool]) -> SourceAnswer:
        if not self._path.is_file():
            raise FaultError(f"there is no file {self._path}", "correct its path")
        with opened(self._path, self._section.max_bytes, is_over) as connection:
            cursor = connection.execute(self._section.statement, {"query": query.text, "limit": query.limit})
            columns: list[str] = []
            rows: list[tuple[object, ...]] = []
            size = 0
            for row in cursor:
                columns = columns or [name for name, *_ in cursor.description]
                rows.append(row)
                size += sum(len(value) for value in row if isinstance(value, str | bytes))
                if len(rows) > query.limit or size > self._section.max_bytes:
                    break
            return sql.answer(columns, rows, query.limit)


@contextlib.contextmanager
def opened(path: Path, max_bytes: int, is_over: Callable[[], bool]) -> Iterator[apsw.Connection]:
    """Yield a read-only connection on which nothing but reading is possible, and which leaves no file behind.

    Reading a database in WAL mode makes `-wal` and `-shm` beside it, unless it is taken for one that nobody changes.
    """
    is_at_rest, before = _is_at_rest(path), version_of(path)
    place = f"{path.as_uri()}?immutable=1" if is_at_rest else str(path)
    connection = apsw.Connection(place, flags=apsw.SQLITE_OPEN_READONLY | (apsw.SQLITE_OPEN_URI if is_at_rest else 0))
    try:
        connection.set_busy_timeout(_BUSY_MS)
        connection.set_progress_handler(is_over, _STEPS)
        for option in (apsw.SQLITE_DBCONFIG_DEFENSIVE, apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA):
            connection.config(option, int(option == apsw.SQLITE_DBCONFIG_DEFENSIVE))
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, max(max_bytes, 1 << 20))
        for name, value in (("query_only", 1), ("cell_size_check", 1), ("mmap_size", 0)):
            connection.pragma(name, value)
        connection.authorizer = _authorize
        yield connection
    finally:
        connection.close(force=True)
    if is_at_rest and version_of(path) != before:
        raise FaultError(f"{path.name} is being written", "try again", is_passing=True)


def _is_at_rest(path: Path) -> bool:
    """Say whether a database is in WAL mode and has no log, so that nobody has it open."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\2\2" and not Path(f"{path}-wal").exists()
    except OSError:
        return False  # opening says why


def _authorize(operation: int, first: str | None, second: str | None, _database: str | None, _: str | None) -> int:
    if operation == apsw.SQLITE_PRAGMA and first == "data_version" and second is None:
        return apsw.SQLITE_OK  # FTS5 asks for it
    if operation not in _READING or (operation == apsw.SQLITE_FUNCTION and (second or "").lower() in _FORBIDDEN):
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK


def version_of(path: Path) -> tuple[tuple[int, int], ...]:
    """Return size and time of a SQLite file and its write-ahead log; empty ones for what is missing."""
    return tuple(_state(Path(f"{path}{suffix}")) for suffix in ("", "-wal"))


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return (found.st_size, found.st_mtime_ns) if found.st_size else (0, 0)  # reading makes an empty log
