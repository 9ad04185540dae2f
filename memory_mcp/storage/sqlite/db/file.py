"""Opens the SQLite file: creates it, configures connections, and translates SQLite's errors."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from json import JSONDecodeError
from pathlib import Path
from typing import Final, TypeVar

import apsw

from memory_mcp.domain.errors import NO_ROOM, DiskFullError, StoreError
from memory_mcp.storage.disk import has_room
from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, key_of, no_keys, with_key
from memory_mcp.storage.sqlite.db.schema import check_identity

T = TypeVar("T")

SMALLEST_DATABASE: Final = 512
"""Bytes of SQLite's smallest page (https://sqlite.org/fileformat.html)."""

BUSY_MS: Final = 10_000
"""Milliseconds to wait for another process's write."""
BUSY_STEP_MS: Final = 5
CLOSING_MS: Final = 250
"""Milliseconds to wait while a store is being closed: each of its own connections locks the file for a moment as it
closes, while the last searches still open theirs."""

PRAGMAS: Final[dict[str, str | int]] = {
    "synchronous": "FULL",
    "foreign_keys": 1,
    "temp_store": "MEMORY",
    "secure_delete": 0,  # this build's default is 1, which writes what is deleted once more
    "mmap_size": 1 << 40,  # all of it: a million memories take 2 GB, and unmapped reads take twice as long
    **({"fullfsync": 1, "checkpoint_fullfsync": 1} if sys.platform == "darwin" else {}),  # on macOS fsync is not enough
}


DECRYPTED_KB: Final = 32 << 10
"""Most pages of an encrypted file that a connection holds decrypted. A plain file is mapped instead, and needs none."""
_CREATING: Final = threading.Lock()
"""Held while a file is created: closing any descriptor of a file drops the process's POSIX locks on it."""


def vec0_path() -> str:
    """Return the path of sqlite-vec's library, found without importing sqlite_vec (which imports numpy)."""
    from importlib.util import find_spec  # noqa: PLC0415 - who only lists memories needs none

    spec = find_spec("sqlite_vec")
    if spec is None or spec.origin is None:
        raise StoreError("sqlite-vec is not installed in this interpreter; reinstall memory-mcp")
    return str(Path(spec.origin).with_name("vec0"))


_DAMAGE: Final = (apsw.NotADBError, apsw.CorruptError, UnicodeDecodeError, JSONDecodeError)
_NOT_OPENED: Final = (apsw.CantOpenError, PermissionError, NotADirectoryError, FileExistsError)


@contextlib.contextmanager
def translated(path: Path, patience_ms: int = BUSY_MS) -> Iterator[None]:
    """Translate SQLite's errors into sentences with the file and the fix."""
    try:
        yield
    except (apsw.Error, OSError, UnicodeDecodeError, JSONDecodeError) as error:
        raise _told(error, path, patience_ms) from error


def _told(error: Exception, path: Path, patience_ms: int) -> StoreError:
    if isinstance(error, _DAMAGE):
        return StoreError(
            f"{path} is damaged or not a database ({error}), and nothing was changed; "
            "restore a backup with memory-mcp restore"
        )
    if is_full(error, path):
        return DiskFullError(path)
    if isinstance(error, apsw.BusyError):
        return StoreError(f"another process has locked {path} for {patience_ms / 1000:g} s; stop that process")
    if isinstance(error, apsw.ReadOnlyError):
        return StoreError(f"{path} cannot be written; make the file and its folder writable")
    return _not_opened(path, error) if isinstance(error, _NOT_OPENED) else StoreError(f"{path}: {error}")


def _not_opened(path: Path, error: Exception) -> StoreError:
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's own fails where a folder above may not be entered
        return StoreError(f"{path} is a folder; name a file in it, such as {path / 'memory.db'}")
    return StoreError(f"{path} cannot be opened ({error}); check the path and its permissions")


def is_full(error: Exception, path: Path) -> bool:
    """Whether an error is due to a full disk; SQLite often reports that as an I/O error."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and not has_room(path))


@contextlib.contextmanager
def noticing_full(db: apsw.Connection) -> Iterator[None]:
    """Turn SQLite's I/O errors into FullError if the system reports a lack of space.

    SQLite does so only for ENOSPC in a write, but not for quotas, limits on file sizes, shared memory or new files.
    """
    try:
        yield
    except (apsw.IOError, apsw.CantOpenError) as error:
        if db.system_errno in NO_ROOM:
            raise apsw.FullError(str(error)) from error
        raise


def create_private(path: Path) -> None:
    """Create a missing folder with mode 0700 and file with 0600; SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _CREATING, contextlib.suppress(FileExistsError):  # another front was first
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def left_beside(path: Path) -> list[str]:
    """Return the names of existing side files; without the database, they mean that it was moved or deleted."""
    return [beside.name for suffix in ("-wal", "-signs") if (beside := Path(f"{path}{suffix}")).exists()]


class Patience:
    """Waits for another process's lock until a timeout, or until it is told to stop."""

    def __init__(self, most_ms: int = BUSY_MS) -> None:
        self._most_ms = most_ms
        self._ended = threading.Event()

    def __call__(self, calls: int) -> bool:
        """Whether SQLite should try again; `calls` counts its attempts so far."""
        if self._ended.wait(BUSY_STEP_MS / 1_000):
            time.sleep(BUSY_STEP_MS / 1_000)
            return calls * BUSY_STEP_MS < CLOSING_MS
        return calls * BUSY_STEP_MS < self._most_ms

    def end_at(self) -> float:
        """Return when a wait that begins now times out, on the monotonic clock."""
        return time.monotonic() + self._most_ms / 1_000

    def lasts_until(self, end: float) -> bool:
        """Wait for one step; return whether to try again before that moment."""
        return time.monotonic() < end and not self._ended.wait(BUSY_STEP_MS / 1_000)

    def end(self) -> None:
        """Wait no longer than for a connection of our own that closes."""
        self._ended.set()


def _enter_wal(db: apsw.Connection, patience: Patience, *, is_new: bool) -> None:
    """Switch a file to WAL mode, with our own wait: SQLite does not wait while another process does the same.

    A new one gets a map of its pages first, which cannot be added later: with it SQLite finds a place in a long row,
    such as a chunk of vectors, without reading all that lies before it. Freed pages stay in the file, as without it.
    """
    for calls in count():
        try:
            if is_new:
                db.pragma("auto_vacuum", "INCREMENTAL")
            db.pragma("journal_mode", "WAL")
        except apsw.BusyError:
            if not patience(calls):
                raise
        else:
            return


def identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def check_size(path: Path) -> None:
    """Check that a file is empty or at least one page long: SQLite would treat a shorter one as empty.

    Raises:
        apsw.NotADBError: it is neither.
    """
    if 0 < path.stat().st_size < SMALLEST_DATABASE:
        raise apsw.NotADBError("it is too short for a database")


def connect(
    path: Path, patience: Patience | None = None, keys: Keys = no_keys, *, new_key: str = ""
) -> StoreConnection:
    """Open an existing file, ours or empty, and configure the connection; an empty one gets the key `new_key`.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
        LockedError: it is encrypted, and no key fits.
    """
    patience = patience or Patience()
    check_size(path)
    if path.stat().st_size == 0:
        return _connected(path, patience, new_key)
    return with_key(path, keys, partial(_connected, path, patience))


def _connected(path: Path, patience: Patience, key: str) -> StoreConnection:
    db = _keyed(path, patience, key)  # looks at it before anything is written to a foreign file
    try:
        with noticing_full(db):
            _enter_wal(db, patience, is_new=path.stat().st_size == 0)
            prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def open_as_is(path: Path, keys: Keys, patience: Patience | None = None) -> StoreConnection:
    """Open an existing file of ours for writing, without another journal mode or our pragmas.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
        LockedError: it is encrypted, and no key fits.
    """
    return with_key(path, keys, partial(_keyed, path, patience or Patience()))


def _keyed(path: Path, patience: Patience, key: str) -> StoreConnection:
    db = StoreConnection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI)  # of VACUUM INTO
    try:
        with noticing_full(db):
            db.set_busy_handler(patience)
            if key:
                db.set_key(key)
            check_identity(db, path)
    except BaseException:
        db.close()
        raise
    return db


def in_memory() -> StoreConnection:
    """Open an empty database in memory."""
    db = StoreConnection(":memory:")
    prepare(db)
    return db


def prepare(db: apsw.Connection, *, vectors: bool = True) -> None:
    """Configure a connection; without `vectors` it cannot search by them."""
    for name, value in PRAGMAS.items():
        db.pragma(name, value)
    if key_of(db):
        db.pragma("cache_size", -DECRYPTED_KB)
    if not vectors:
        return
    db.enable_load_extension(True)  # noqa: FBT003 - apsw's own signature
    db.load_extension(vec0_path())
    db.enable_load_extension(False)  # noqa: FBT003 - apsw's own signature


def in_transaction(db: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    """Run the work in one transaction that takes the write lock at once."""
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
    """Roll back if there is a transaction: SQLite itself rolls back after some errors, such as a full disk."""
    if db.in_transaction:
        db.execute("ROLLBACK")
