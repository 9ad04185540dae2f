"""Opening a file so that nothing on the disk changes: no log, no shared memory and no time of any file.

SQLite by itself makes `-wal` and `-shm` beside a file in WAL mode even for a connection that only reads.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from memory_mcp.storage.sqlite.db.file import Patience, check_size, prepare
from memory_mcp.storage.sqlite.db.schema import check_identity


class Way(NamedTuple):
    """How a file is opened."""

    query: str
    """Of SQLite's URI."""
    is_guarded: bool
    """Whether locks keep others from changing what is being read, also one who opens the file after us."""


SHARED: Final = Way("mode=ro", is_guarded=True)
"""Beside others, by the shared memory that they have made, in which a reader leaves its marks."""
UNMARKED: Final = Way("mode=ro&readonly_shm=1", is_guarded=True)
"""The same without the marks; nobody in the same process can write then."""
LEFTOVER: Final = Way("mode=ro&vfs=unix-none", is_guarded=False)
"""With a log that nobody has open: its index is held in this process's memory, which takes exclusive locking and a VFS
that does not lock the file for it."""
SETTLED: Final = Way("mode=ro&immutable=1", is_guarded=False)
"""All is in the file itself. A log and shared memory need not, and often cannot, be made."""
JOURNALED: Final = Way("mode=ro", is_guarded=False)
"""The file has no log, as a backup; who makes it one that has is noticed."""

IN_WAL_MODE: Final = b"\2"
READ_VERSION: Final = 19
"""The value and the place of a file's read version (https://sqlite.org/fileformat.html)."""
SHARED_FIRST: Final = 0x40000002
SHARED_SIZE: Final = 510
"""The bytes that SQLite locks of a file to read it (its os.h)."""

State = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A connection that changes nothing."""

    db: apsw.Connection
    path: Path
    files: State | None
    """What the files were; None where SQLite's locks keep others from changing what is being read."""

    def is_overtaken(self) -> bool:
        """Say whether somebody has changed the files without the connection knowing: what was read may be a mixture."""
        return self.files is not None and self.files != state(self.path)


def open_reading(path: Path, patience: Patience | None = None, way: Way | None = None) -> Reading:
    """Open a file that is there, and ours or empty, in the way that is given, else as what lies beside it demands.

    Nothing changes unless the way is SHARED.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
    """
    check_size(path)
    before, way = state(path), way or way_of(path)
    try:
        db = _open(path, patience or Patience(), way)
    except apsw.ProtocolError:  # what lies there as shared memory is of another log, and nobody's any more
        way = LEFTOVER
        db = _open(path, patience or Patience(), way)
    return Reading(db, path, None if way.is_guarded else before)


def _open(path: Path, patience: Patience, way: Way) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(f"{path.absolute().as_uri()}?{way.query}", flags=flags)
    try:
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # else a log of which nothing counts is removed
        db.set_busy_handler(patience)
        if way == LEFTOVER:
            db.pragma("locking_mode", "EXCLUSIVE")
        check_identity(db, path)
        prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_reading(path: Path, patience: Patience | None = None, *, read_only: bool) -> apsw.Connection:
    """Open a file for a moment in which nobody is expected to change it but by the log.

    Where others in this process may write, marks are left in shared memory that is there.
    """
    patience = patience or Patience()
    end = patience.end_at()
    while True:
        try:
            way = way_of(path)
            return open_reading(path, patience, SHARED if way == UNMARKED and not read_only else way).db
        except apsw.Error as error:
            if not (may_pass(error, path) and patience.lasts_until(end)):
                raise


def may_pass(error: Exception, path: Path) -> bool:
    """Say whether an error may come of others who open or close the file just now: the way was theirs a moment ago."""
    if isinstance(error, apsw.BusyError | apsw.ProtocolError):
        return True
    is_lacking = isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError)
    return is_lacking and path.is_file() and os.access(path, os.R_OK)


def is_settled(path: Path) -> bool:
    """Say whether all that was written is in the file itself."""
    log, _ = _beside(path)
    return not log.exists() or log.stat().st_size == 0


def way_of(path: Path) -> Way:
    """Return the way that what lies beside a file demands.

    Raises:
        apsw.BusyError: somebody keeps everybody out of it.
    """
    _, shared = _beside(path)
    if not is_settled(path) and shared.exists():
        return UNMARKED
    _check_unlocked(path)
    return way_at_rest(path) if is_settled(path) else LEFTOVER


def _check_unlocked(path: Path) -> None:
    """Look at the lock that the ways without locks pass by; afterwards this process has none on the file."""
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
        except OSError as error:
            raise apsw.BusyError("another process has it for itself") from error


def way_at_rest(path: Path) -> Way:
    """Return the way for a file that is settled, whatever lies beside it."""
    with path.open("rb") as file:
        file.seek(READ_VERSION)
        return SETTLED if file.read(1) in {IN_WAL_MODE, b""} else JOURNALED


def _beside(path: Path) -> tuple[Path, Path]:
    return Path(f"{path}-wal"), Path(f"{path}-shm")


def state(path: Path) -> State:
    """Return what tells whether somebody has changed the file or what lies beside it."""
    return tuple(_seen(each) for each in (path, *_beside(path)))


def _seen(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
