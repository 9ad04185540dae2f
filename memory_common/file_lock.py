"""A file lock (flock) that the kernel releases however the process ends.

The package `filelock` does not fit: it truncates a file that another process has locked, and with it the holder's id.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memory_common.whole_file import PRIVATE


class FileLock:
    """One holder at a time among all processes; the file stays, because others may have it open and wait.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, inherited: bool = False) -> None:
        """Open the file; `inherited` lets child processes hold the lock after us."""
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
        os.set_inheritable(self._file, inherited)

    def take(self) -> bool:
        """Acquire the lock if it is free, and write our process id into the file; return whether we hold it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with suppress(OSError):  # the disk is full; the id is only for messages
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return True

    def wait(self) -> None:
        """Wait for the lock and acquire it; blocks this thread."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def owner(self) -> str:
        """Return the process id in the file, for messages."""
        return os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"

    def release(self) -> None:
        """Release the lock; the end of the process does so, too."""
        os.close(self._file)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file during the block; waits for it without a timeout.

    Raises:
        OSError: the file cannot be opened.
    """
    lock = FileLock(path)
    try:
        lock.wait()
        yield
    finally:
        lock.release()
