"""Opens files below allowed folders. What is checked is the opened descriptor, so a path that changes changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

MAX_FILE_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A regular file, opened for reading; close it, or use `with`."""

    descriptor: int
    path: Path | None
    """As it was asked for; None for content."""
    size: int
    """In bytes, when it was opened; likewise the next."""
    modified_ns: int
    """Unix time."""

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def is_unchanged(self) -> bool:
        """Whether size and times are those of the opening."""
        raise NotImplementedError


def open_below(roots: Sequence[Path], path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> OpenedFile:
    """Open a regular file below one of the roots; links are followed while they stay below that root.

    It never blocks on a FIFO, and reads nothing.

    Args:
        roots: absolute folders.
        path: absolute.
        max_bytes: the largest size.

    Raises:
        RefusedError: OUTSIDE_ROOTS, MISSING, NOT_A_FILE, NO_ACCESS, TOO_LARGE or EMPTY.
    """
    raise NotImplementedError


def open_content(content: bytes) -> OpenedFile:
    """Return content that came with a call as a file without a path.

    Raises:
        RefusedError: EMPTY.
    """
    raise NotImplementedError
