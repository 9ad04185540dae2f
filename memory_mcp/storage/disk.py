"""Whether there is room for what the store does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from memory_mcp.domain.checks import READ_ONLY
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry

MB: Final = 1_000_000
SPARE: Final = 200 * MB
"""Bytes beside a copy of the store: the write-ahead log, a converted model, logs."""
LEAST: Final = 20 * MB
"""Bytes below which the next write may fail."""
WRITTEN: Final = 1_000_000
"""Bytes that one write may need: its pages stand in the log before they are in the file."""


def register(registry: Registry, store: Path, folders: Sequence[Path], *, read_only: bool) -> None:
    """Register the check of the disks that hold the store and its copies."""
    registry.add_blocking("disk", partial(room, store, folders), skip=READ_ONLY if read_only else "")


def has_room(path: Path) -> bool:
    """Say whether the disk of a file has room for a write; of a quota the system tells the write alone."""
    try:
        return shutil.disk_usage(path.parent).free >= WRITTEN
    except OSError:  # the folder is not there yet, or was moved away under the open file
        return True


def is_writable(path: Path) -> bool:
    """Say whether a file, where it is there, and its folder may be written; SQLite makes files beside it."""
    return not path.exists() or all(os.access(each, os.W_OK) for each in (path, path.parent))


def room(store: Path, folders: Sequence[Path], seconds: float) -> Finding:
    """Say whether the disk of each folder has room for a copy of the store, as backups and migrations make it."""
    del seconds  # no call here can be interrupted
    size = sum(path.stat().st_size for path in (store, Path(f"{store}-wal")) if path.exists())
    free, folder = min((shutil.disk_usage(_there(folder)).free, folder) for folder in folders)
    told = f"{free // MB:,} MB are free for {folder}"
    if free < LEAST:
        return Finding(Condition.FAILED, "full", told, "free some space: the next write may fail")
    if free < size + SPARE:
        cause = f"{told}; a copy of the store needs {(size + SPARE) // MB:,} MB"
        return Finding(Condition.DEGRADED, "scarce", cause, "free some space: backups and upgrades need it")
    return Finding(Condition.OK, "enough", detail=told)


def _there(folder: Path) -> Path:
    """Return the nearest folder above that is there already."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
