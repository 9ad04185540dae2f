"""Replaces a file atomically: a reader finds the old one or the new one, even after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

PRIVATE: Final = 0o600


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path`, synced to disk, at the end of the block; an exception removes it.

    Args:
        path: the file to replace, which may not exist; its folder must. A link is replaced, not followed.
        mode: the new file's mode, regardless of the umask and the old file.

    Raises:
        OSError: the temporary file cannot be written or renamed; the old file is unchanged.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE), "wb") as file:  # noqa: PTH123 - the mode
            os.fchmod(file.fileno(), mode)
            yield file
            flush_to_disk(file)
        draft.replace(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Replace a file by these bytes; raises OSError as `replacing`."""
    with replacing(path, mode) as file:
        file.write(data)


def flush_to_disk(file: BinaryIO) -> None:
    """Sync the file to disk; raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync the folder, and with it the new name, if the file system supports that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
