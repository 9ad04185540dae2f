"""Opens a peer's SQLite database as what it is: somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from memory_mcp.imports.model import UnreadableError


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """Open a private copy; what its schema may call is nothing but SQLite's own harmless functions.

    Raises:
        UnreadableError: it is no database, or damaged.
    """
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
            db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            db.execute("PRAGMA temp_store = memory")
            yield db
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise UnreadableError(f"{path.name} is no intact SQLite database ({error}); restore a backup of it") from error
    except apsw.Error as error:
        raise UnreadableError(f"{path.name} cannot be read ({error}); close the program that uses it") from error


def columns_of(db: apsw.Connection, table: str) -> frozenset[str]:
    """Return the names of a table's columns; none if there is no such table."""
    return frozenset(str(name) for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def text(value: object) -> tuple[str, bool]:
    """Return a column's value as text, and whether it was UTF-8; select texts as blobs for it."""
    if not isinstance(value, bytes):
        return "" if value is None else str(value), True
    try:
        return value.decode(), True
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace"), False
