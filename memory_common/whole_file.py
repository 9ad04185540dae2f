"""Replaces a file as a whole: a reader finds the old one or the new one, also after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

PRIVATE: Final = 0o600


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Open a draft beside `path` that takes its name, and is on disk, when the block ends; otherwise it is removed.

    Args:
        path: what is replaced, where it is there; its folder is. A link is replaced, not followed.
        mode: the new file's, whatever the umask; the old file's does not count.

    Raises:
        OSError: the draft cannot be written or renamed; the old file is as it was.
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
    """Return when what was written is on the disk; raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk where the file system can; the file itself is there already."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
