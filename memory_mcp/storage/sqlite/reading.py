"""Opening a file so that nothing on the disk changes: no log, no shared memory and no time of any file.

SQLite by itself makes `-wal` and `-shm` beside a file in WAL mode even for a connection that only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.storage.sqlite.file import Patience, check_size, prepare
from memory_mcp.storage.sqlite.schema import check_identity

SHARED: Final = "mode=ro&readonly_shm=1"
"""Beside others, by the shared memory that they have made; nobody in the same process can write then."""
LEFTOVER: Final = "mode=ro&vfs=unix-none"
"""With a log that nobody has open: its index is held in this process's memory, which takes exclusive locking and a VFS
that does not lock the file for it."""
SETTLED: Final = "mode=ro&immutable=1"
"""All is in the file itself. A log and shared memory need not, and often cannot, be made."""

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


def open_reading(path: Path, patience: Patience | None = None, way: str | None = None) -> Reading:
    """Open a file that is there, and ours or empty, in the way that is given, else as what lies beside it demands.

    Raises:
        apsw.Error, StoreError: it cannot be opened, or is not ours.
    """
    check_size(path)
    before, way = state(path), way or _way(path)
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(f"{path.absolute().as_uri()}?{way}", flags=flags)
    try:
        db.set_busy_handler(patience or Patience())
        if way == LEFTOVER:
            db.pragma("locking_mode", "EXCLUSIVE")
        check_identity(db, path)
        prepare(db)
    except BaseException:
        db.close()
        raise
    return Reading(db, path, None if way == SHARED else before)


def connect_reading(path: Path, patience: Patience | None = None) -> apsw.Connection:
    """Open a file as `open_reading` does, for a moment in which nobody is expected to change it otherwise."""
    return open_reading(path, patience).db


def is_settled(path: Path) -> bool:
    """Say whether all that was written is in the file itself."""
    log, _ = _beside(path)
    return not log.exists() or log.stat().st_size == 0


def _way(path: Path) -> str:
    log, shared = _beside(path)
    if log.exists() and shared.exists():
        return SHARED
    return SETTLED if is_settled(path) else LEFTOVER


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
