"""Walks a folder: what will be read, and what is left out with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be read; `opening.open_below` opens it, and decides."""

    path: Path
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that is not read."""

    path: Path
    why: str
    """For a person, such as "may hold secrets (.env)" or "ignored by .gitignore"."""


def walk(roots: Sequence[Path], folder: Path) -> Iterator[Found | LeftOut]:
    """Yield a folder's files in the order of their names, deep ones included.

    It follows no links to folders, and honours `.gitignore` and `.memoryignore` from the folder downwards.

    Args:
        roots: absolute folders.
        folder: absolute, one of the roots or below one.

    Raises:
        RefusedError: OUTSIDE_ROOTS, MISSING, NOT_A_FILE (it is no folder) or NO_ACCESS.
    """
    raise NotImplementedError
