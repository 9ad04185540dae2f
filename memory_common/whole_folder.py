"""Replaces a folder as a whole: one of that name has everything that belongs into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

UNFINISHED: Final = "unfinished-"
"""How the name of a draft begins."""


@contextmanager
def replacing(folder: Path, mode: int = 0o700) -> Iterator[Path]:
    """Give an empty draft beside `folder` that takes its name when the block ends; otherwise it is removed.

    One process at a time: callers hold a lock. A draft that a killed process left is removed by the next one. Unlike a
    file, a folder cannot be replaced in one step: for a moment there is none of that name.

    Args:
        folder: what is replaced, where it is there; its parent is.
        mode: the new folder's, less the umask.

    Raises:
        OSError: the draft cannot be made or renamed.
    """
    draft = folder.with_name(f"{UNFINISHED}{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode)
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
