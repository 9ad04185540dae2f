"""An flock on a file of its own, which the kernel releases however the process ends.

The package `filelock` does not fit: it truncates a file that another process holds, where the holder wrote its number.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memory_common.whole_file import PRIVATE


class FileLock:
    """One holder at a time among all processes; the file stays, because another may wait with it open.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, inherited: bool = False) -> None:
        """Open the file; `inherited` lets child processes go on holding the lock after us."""
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
        os.set_inheritable(self._file, inherited)

    def take(self) -> bool:
        """Take the lock if it is free, and write our process id into the file."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with suppress(OSError):  # a full disk; the number is for messages alone
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return True

    def wait(self) -> None:
        """Take the lock as soon as it is free; blocks this thread."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def owner(self) -> str:
        """Return the process id that whoever took it wrote, for a message."""
        return os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"

    def release(self) -> None:
        """Let go; a process that ends does so by itself."""
        os.close(self._file)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file while the block runs; waits for it as long as it takes.

    Raises:
        OSError: the file cannot be opened.
    """
    lock = FileLock(path)
    try:
        lock.wait()
        yield
    finally:
        lock.release()
