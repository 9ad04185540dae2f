"""What only some stores can do; callers look for it with `isinstance`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class SupportsBackup(Protocol):
    """Copies itself to a file, and takes such a copy back."""

    async def backup(self, target: Path) -> None:
        """Write a copy of one moment to a file that is not there yet, and verify it; writes go on meanwhile."""
        ...

    async def restore(self, source: Path, aside: Path) -> None:
        """Replace everything by a backup, for all fronts at once, after a copy of what was there went to `aside`.

        The store's generation grows all the same. Nothing is changed when the backup is none or does not agree.
        """
        ...


@runtime_checkable
class SupportsTidy(Protocol):
    """Wants some work now and then."""

    async def tidy(self) -> None:
        """Do that work; nothing that is kept changes."""
        ...
