"""Checks of disk space for the store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from memory_common.whole_file import replacing
from memory_mcp.domain.errors import NO_ROOM, DiskFullError, StoreError
from memory_mcp.domain.models import Condition, Finding

if TYPE_CHECKING:
    from memory_mcp.health.registry import Registry  # asyncio, which a glance at the store does not need

MB: Final = 1_000_000
SPARE: Final = 200 * MB
"""Bytes to reserve besides a copy of the store: write-ahead log, converted model, logs."""
LEAST: Final = 20 * MB
"""Free bytes below which the next write may fail."""
WRITTEN: Final = 1_000_000
"""Bytes that one write may need: its pages go to the log before the file."""


def register(registry: Registry, store: Path, folders: Sequence[Path], *, read_only: bool, skip: str = "") -> None:
    """Register the check of the disks of the store and its copies; `skip` says why there is no file to copy."""
    from memory_mcp.domain.checks import READ_ONLY  # noqa: PLC0415 - who reads needs none

    registry.add_blocking("disk", partial(room, store, folders), skip=skip or (READ_ONLY if read_only else ""))


def has_room(path: Path) -> bool:
    """Whether the disk of a file has space for a write; a quota shows only in the write itself."""
    try:
        return _free(path.parent) >= WRITTEN
    except OSError:  # the folder does not exist yet, or was moved away from the open file
        return True


def _free(folder: Path) -> int:
    """Return the free bytes on a folder's disk; `shutil.disk_usage` says the same, and imports compression."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a private file that gets its name once it is complete.

    Raises:
        StoreError: there is one already, or it cannot be written.
    """
    if path.exists():
        raise StoreError(f"{path} exists already; choose another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path) as file:
            yield file
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(path) from error
        raise StoreError(f"{path} cannot be written ({error.strerror}); name a file in a folder of yours") from error


def is_writable(path: Path) -> bool:
    """Whether a file, if it exists, and its folder are writable; SQLite creates side files there."""
    return not path.exists() or all(os.access(each, os.W_OK) for each in (path, path.parent))


def room(store: Path, folders: Sequence[Path], seconds: float) -> Finding:
    """Check that the disk of each folder has space for a copy of the store, for backups and migrations."""
    del seconds  # no call here can be interrupted
    size = sum(path.stat().st_size for path in (store, Path(f"{store}-wal")) if path.exists())
    free, folder = min((_free(_there(folder)), folder) for folder in folders)
    told = f"{folder} has {free // MB:,} MB free"
    if free < LEAST:
        return Finding(Condition.FAILED, "full", told, "free some space: the next write may fail")
    if free < size + SPARE:
        cause = f"{told}; a copy of the store needs {(size + SPARE) // MB:,} MB"
        return Finding(Condition.DEGRADED, "scarce", cause, "free some space: backups and upgrades need it")
    return Finding(Condition.OK, "enough", detail=told)


def _there(folder: Path) -> Path:
    """Return the nearest existing parent folder."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
