"""Opens a file without changing anything on the disk: no log, no shared memory, no timestamp.

By itself, SQLite creates `-wal` and `-shm` next to a file in WAL mode even for a read-only connection.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from memory_mcp.storage.sqlite.db.encryption import Keys, StoreConnection, no_keys, with_key
from memory_mcp.storage.sqlite.db.file import Patience, check_size, prepare
from memory_mcp.storage.sqlite.db.schema import check_identity


class Way(NamedTuple):
    """How a file is opened."""

    query: str
    """Of SQLite's URI."""
    is_guarded: bool
    """Whether locks keep others from changing the file during a read, including those who open it after us."""


SHARED: Final = Way("mode=ro", is_guarded=True)
"""Together with others, through their shared memory, in which a reader leaves marks."""
UNMARKED: Final = Way("mode=ro&readonly_shm=1", is_guarded=True)
"""The same without marks; nobody in the same process can write meanwhile."""
LEFTOVER: Final = Way("mode=ro&vfs=multipleciphers-unix-none", is_guarded=False)
"""With a log that nobody has open: its index is in this process's memory, which requires exclusive locking mode and a
VFS that does not lock the file."""
SETTLED: Final = Way("mode=ro&immutable=1", is_guarded=False)
"""Everything is in the file itself; a log and shared memory are unnecessary and often cannot be created."""
JOURNALED: Final = Way("mode=ro", is_guarded=False)
"""The file is not in WAL mode, like a backup; a switch to WAL mode is detected."""

IN_WAL_MODE: Final = b"\2"
READ_VERSION: Final = 19
"""The value and the place of a file's read version (https://sqlite.org/fileformat.html)."""
LOG_HEADER: Final = 32
"""Bytes of a log without pages, which a writer leaves that dies early. Opened UNMARKED, such a log keeps SQLite trying
for 10 s and then fails: its index never fits the header."""
SHARED_FIRST: Final = 0x40000002
SHARED_SIZE: Final = 510
"""The bytes of a file that SQLite locks for reading (see its os.h)."""

State = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A connection that changes nothing."""

    db: StoreConnection
    path: Path
    files: State | None
    """The state of the files when opened; None if SQLite's locks prevent changes during reads."""

    def is_overtaken(self) -> bool:
        """Whether somebody has changed the files unnoticed by the connection, so that it may have read a mixture."""
        return self.files is not None and self.files != state(self.path)


def open_reading(
    path: Path,
    patience: Patience | None = None,
    way: Way | None = None,
    keys: Keys = no_keys,
    *,
    vectors: bool = True,
) -> Reading:
    """Open an existing file, ours or empty, in the given way, else in the one that its side files require.

    Changes nothing unless the way is SHARED.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
        LockedError: it is encrypted, and no key fits.
    """
    check_size(path)
    before, way = state(path), way or way_of(path)
    patience = patience or Patience()
    try:
        db = with_key(path, keys, partial(_open, path, patience, way, vectors=vectors))
    except apsw.ProtocolError:  # the shared memory is a leftover of another log
        way = LEFTOVER
        db = with_key(path, keys, partial(_open, path, patience, way, vectors=vectors))
    return Reading(db, path, None if way.is_guarded else before)


def _open(path: Path, patience: Patience, way: Way, key: str, *, vectors: bool) -> StoreConnection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    db = StoreConnection(f"{path.absolute().as_uri()}?{way.query}", flags=flags)
    try:
        if key:
            db.set_key(key)
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # otherwise SQLite would remove a log without valid frames
        db.set_busy_handler(patience)
        if way == LEFTOVER:
            db.pragma("locking_mode", "EXCLUSIVE")
        check_identity(db, path)
        prepare(db, vectors=vectors)
    except BaseException:
        db.close()
        raise
    return db


def connect_reading(
    path: Path, patience: Patience | None = None, keys: Keys = no_keys, *, read_only: bool, vectors: bool = True
) -> StoreConnection:
    """Open a file briefly, while nobody is expected to change it except through the log.

    If others in this process may write, leave marks in existing shared memory.
    """
    patience = patience or Patience()
    end = patience.end_at()
    while True:
        try:
            way = way_of(path)
            way = SHARED if way == UNMARKED and not read_only else way
            return open_reading(path, patience, way, keys, vectors=vectors).db
        except apsw.Error as error:
            if not (may_pass(error, path) and patience.lasts_until(end)):
                raise


def may_pass(error: Exception, path: Path) -> bool:
    """Whether others may have caused an error by opening or closing the file after the way was chosen."""
    if isinstance(error, apsw.BusyError | apsw.ProtocolError):
        return True
    is_lacking = isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError)
    return is_lacking and path.is_file() and os.access(path, os.R_OK)


def is_settled(path: Path) -> bool:
    """Whether everything written is in the file itself."""
    log, _ = _beside(path)
    try:
        return log.stat().st_size <= LOG_HEADER
    except FileNotFoundError:  # there is none, or its last writer has just removed it
        return True


def way_of(path: Path) -> Way:
    """Return the way that a file's side files require.

    Raises:
        apsw.BusyError: somebody has locked the file exclusively.
    """
    _, shared = _beside(path)
    if not is_settled(path) and shared.exists():
        return UNMARKED
    _check_unlocked(path)
    return way_at_rest(path) if is_settled(path) else LEFTOVER


def _check_unlocked(path: Path) -> None:
    """Check the lock that the ways without locks ignore; afterwards this process holds no lock on the file."""
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
        except OSError as error:
            raise apsw.BusyError("another process has locked it exclusively") from error


def way_at_rest(path: Path) -> Way:
    """Return the way for a file that nobody changes, whatever its side files."""
    with path.open("rb") as file:
        file.seek(READ_VERSION)
        return SETTLED if file.read(1) in {IN_WAL_MODE, b""} else JOURNALED


def _beside(path: Path) -> tuple[Path, Path]:
    return Path(f"{path}-wal"), Path(f"{path}-shm")


def state(path: Path) -> State:
    """Return the state of the file and its side files, to detect changes."""
    return tuple(_seen(each) for each in (path, *_beside(path)))


def _seen(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
