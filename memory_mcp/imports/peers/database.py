"""Opens a peer's SQLite database as what it is: somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.imports.model import Remark, UnreadableError

PeerRow = Mapping[str, object]
"""The values of a row by column, or the members of an object in an export."""
MAX_NAMED: Final = 500
"""Characters of a sentence."""
SCHEMA: Final = "malformed database schema"
"""Begins what SQLite says of a schema that it does not understand; the file may be intact."""
MAGIC: Final = b"SQLite format 3\0"


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """Open a private copy; what its schema may call is nothing but SQLite's own harmless functions.

    Raises:
        UnreadableError: it is no database, damaged, of another version, or in use.
    """
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
            db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            db.execute("PRAGMA temp_store = memory")
            yield db
    except apsw.Error as error:
        raise UnreadableError(f"{path.name} {_why(error)}") from error


def _why(error: apsw.Error) -> str:
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return f"is in use ({error}); close the program that uses it, and try again"
    if isinstance(error, apsw.SQLError) or SCHEMA in str(error):
        return f"has tables that are not read ({error}); report it with the version of the program that wrote it"
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return f"is no intact SQLite database ({error}); restore a backup of it"
    return f"cannot be read ({error}); make sure that the disk has room and that you may read the file, and try again"


def columns_of(db: apsw.Connection, table: str) -> frozenset[str]:
    """Return the names of a table's columns; none if there is no such table."""
    return frozenset(str(name) for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def as_blob(column: str) -> str:
    """Return what selects a column, its texts as blobs: one that is not UTF-8, as it was cut, say, costs itself."""
    return f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"


def decoded(values: Iterable[object]) -> tuple[list[object], bool]:
    """Return values that were selected so, and whether all texts were UTF-8."""
    texts = [_text(value) for value in values]
    return [value for value, _ in texts], all(is_utf8 for _, is_utf8 in texts)


def _text(value: object) -> tuple[object, bool]:
    """Return a blob as text, and whether it was UTF-8; anything else is returned as it is."""
    if not isinstance(value, bytes):
        return value, True
    try:
        return value.decode(), True
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace"), False


def rows(db: apsw.Connection, table: str, wanted: tuple[str, ...]) -> Iterator[tuple[PeerRow, bool]]:
    """Yield a table's rows, if there is one, each with whether its texts were UTF-8; a missing column is None."""
    if not (there := columns_of(db, table)):
        return
    named = [as_blob(name) if name in there else "NULL" for name in wanted]
    for values in db.execute(f"SELECT {', '.join(named)} FROM {table} ORDER BY rowid"):  # noqa: S608 - constants
        read, is_utf8 = decoded(values)
        yield dict(zip(wanted, read, strict=True)), is_utf8


def untaken(db: apsw.Connection, table: str, taken: tuple[str, ...]) -> Iterator[Remark]:
    """Name the columns of a table that nothing is made of: every version may add some."""
    if more := columns_of(db, table) - set(taken):
        yield Remark("lost", f"of {table}, these columns are not taken: {', '.join(sorted(more))}"[:MAX_NAMED])


def is_database(path: Path) -> bool:
    """Return whether a file says that it is a database."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
