"""Opening the SQLite file: what is created, what every connection is told, what SQLite's errors mean."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from json import JSONDecodeError
from pathlib import Path
from typing import Final, TypeVar

import apsw

from memory_mcp.domain.errors import NO_ROOM, DiskFullError, StoreError
from memory_mcp.storage.disk import has_room
from memory_mcp.storage.sqlite.db.schema import check_identity

T = TypeVar("T")

SMALLEST_DATABASE: Final = 512
"""Bytes of SQLite's smallest page (https://sqlite.org/fileformat.html)."""

BUSY_MS: Final = 10_000
"""Milliseconds to wait for another process's write."""
BUSY_STEP_MS: Final = 5

PRAGMAS: Final[dict[str, str | int]] = {
    "synchronous": "FULL",
    "foreign_keys": 1,
    "temp_store": "MEMORY",
    "mmap_size": 1 << 40,  # all of it: a million memories take 2 GB, and reading what is not mapped twice as long
    **({"fullfsync": 1, "checkpoint_fullfsync": 1} if sys.platform == "darwin" else {}),  # there, fsync is not enough
}


_CREATING: Final = threading.Lock()
"""Closing a file drops all POSIX locks of the process on it: nobody may be in SQLite with a file still being made."""


def vec0_path() -> str:
    """Return the path of sqlite-vec's library, found without importing sqlite_vec (which imports numpy)."""
    spec = find_spec("sqlite_vec")
    if spec is None or spec.origin is None:
        raise StoreError("sqlite-vec is not installed in this interpreter; install memory-mcp again")
    return str(Path(spec.origin).with_name("vec0"))


_DAMAGE: Final = (apsw.NotADBError, apsw.CorruptError, UnicodeDecodeError, JSONDecodeError)
_NOT_OPENED: Final = (apsw.CantOpenError, PermissionError, NotADirectoryError, FileExistsError)


@contextlib.contextmanager
def translated(path: Path, patience_ms: int = BUSY_MS) -> Iterator[None]:
    """Turn SQLite's errors into sentences that name the file and the fix."""
    try:
        yield
    except (apsw.Error, OSError, UnicodeDecodeError, JSONDecodeError) as error:
        raise _told(error, path, patience_ms) from error


def _told(error: Exception, path: Path, patience_ms: int) -> StoreError:
    if isinstance(error, _DAMAGE):
        return StoreError(
            f"{path} is damaged or no database ({error}); nothing was changed: "
            "put a backup in its place with memory-mcp restore"
        )
    if is_full(error, path):
        return DiskFullError(path)
    if isinstance(error, apsw.BusyError):
        return StoreError(
            f"{path} was locked by another process for {patience_ms / 1000:g} s; end the process that holds it"
        )
    if isinstance(error, apsw.ReadOnlyError):
        return StoreError(f"{path} cannot be written; make the file and its folder writable")
    return _not_opened(path, error) if isinstance(error, _NOT_OPENED) else StoreError(f"{path}: {error}")


def _not_opened(path: Path, error: Exception) -> StoreError:
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's own fails where a folder above may not be entered
        return StoreError(f"{path} is a folder; name a file in it, such as {path / 'memory.db'}")
    return StoreError(f"{path} cannot be opened ({error}); check the path and its permissions")


def is_full(error: Exception, path: Path) -> bool:
    """Say whether an error is for want of room where the file lies; SQLite often calls that an I/O error."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and not has_room(path))


@contextlib.contextmanager
def noticing_full(db: apsw.Connection) -> Iterator[None]:
    """Turn what SQLite calls an I/O error into FullError where the system says that there is no room.

    SQLite does so for ENOSPC in a write alone: not for a quota, a limit of files' sizes, shared memory or a new file.
    """
    try:
        yield
    except (apsw.IOError, apsw.CantOpenError) as error:
        if db.system_errno in NO_ROOM:
            raise apsw.FullError(str(error)) from error
        raise


def create_private(path: Path) -> None:
    """Make the folder 0700 and the file 0600 where they are missing; SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _CREATING, contextlib.suppress(FileExistsError):  # another front was first
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def left_beside(path: Path) -> list[str]:
    """Name the side files of a database, which are there without it only when it was moved away or deleted."""
    return [beside.name for suffix in ("-wal", "-signs") if (beside := Path(f"{path}{suffix}")).exists()]


class Patience:
    """Waits for another process's lock, until it has waited long enough or is told to end."""

    def __init__(self, most_ms: int = BUSY_MS) -> None:
        self._most_ms = most_ms
        self._ended = threading.Event()

    def __call__(self, calls: int) -> bool:
        """Say whether SQLite shall try again, after the `calls` times that it has asked before."""
        return calls * BUSY_STEP_MS < self._most_ms and not self._ended.wait(BUSY_STEP_MS / 1_000)

    def end_at(self) -> float:
        """Return when it ends for who begins to wait now, on the monotonic clock."""
        return time.monotonic() + self._most_ms / 1_000

    def lasts_until(self, end: float) -> bool:
        """Wait a step, and say whether to try again before that moment."""
        return time.monotonic() < end and not self._ended.wait(BUSY_STEP_MS / 1_000)

    def end(self) -> None:
        """Wait no more."""
        self._ended.set()


def _enter_wal(db: apsw.Connection, patience: Patience) -> None:
    """Switch a new file to the write-ahead log; SQLite does not wait here while another process does the same."""
    for calls in count():
        try:
            db.pragma("journal_mode", "WAL")
        except apsw.BusyError:
            if not patience(calls):
                raise
        else:
            return


def check_size(path: Path) -> None:
    """Check that a file is empty or long enough: SQLite would take a shorter one for empty.

    Raises:
        apsw.NotADBError: it is neither.
    """
    if 0 < path.stat().st_size < SMALLEST_DATABASE:
        raise apsw.NotADBError("it is shorter than any database")


def connect(path: Path, patience: Patience | None = None) -> apsw.Connection:
    """Open a file that is there, and ours or empty, with everything set that a connection needs.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
    """
    patience = patience or Patience()
    check_size(path)
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with noticing_full(db):
            db.set_busy_handler(patience)
            check_identity(db, path)  # before anything could be written to a file that is not ours
            _enter_wal(db, patience)
            prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def in_memory() -> apsw.Connection:
    """Open an empty database that is nowhere on disk."""
    db = apsw.Connection(":memory:")
    prepare(db)
    return db


def prepare(db: apsw.Connection) -> None:
    """Set what every connection needs."""
    for name, value in PRAGMAS.items():
        db.pragma(name, value)
    db.enable_load_extension(True)  # noqa: FBT003 - apsw's own signature
    db.load_extension(vec0_path())
    db.enable_load_extension(False)  # noqa: FBT003 - apsw's own signature


def in_transaction(db: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    """Do the work in one transaction that takes the write lock at once."""
    with noticing_full(db):
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            roll_back(db)
            raise
    return result


def roll_back(db: apsw.Connection) -> None:
    """End the transaction if there is one: SQLite ends it by itself after some errors, such as a full disk."""
    if db.in_transaction:
        db.execute("ROLLBACK")
