"""What only some stores support; callers check with `isinstance`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class SupportsBackup(Protocol):
    """Can be copied to a file and restored from one."""

    async def copies_as(self) -> str | None:
        """Return the suffix of the copies that it makes, such as ".db"; None where what makes them is not there."""
        ...

    async def makes_no_copies(self) -> str:
        """Return why it makes no copies, where `copies_as` is None; empty where it makes them."""
        ...

    async def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file, and verify it; writes go on meanwhile."""
        ...

    async def restore(self, source: Path, aside: Path) -> None:
        """Replace everything with a backup, for all fronts at once, after copying the old store to `aside`.

        The store's generation still grows. Nothing changes if the file is not a valid backup.
        """
        ...

    async def verify_backup(self, source: Path) -> list[str]:
        """Return one sentence for each inconsistency of a backup; no file changes.

        Raises:
            StoreError: it is not a backup, or cannot be read.
        """
        ...


@runtime_checkable
class AnnouncesChanges(Protocol):
    """Tells of writes by any process without being asked all the time."""

    async def changed(self, seconds: float) -> None:
        """Return when something may have been written, after these seconds at the latest; never raises StoreError.

        It is a wake-up, and one may be missed: the change log has what was written.
        """
        ...


@runtime_checkable
class SupportsTidy(Protocol):
    """Needs periodic housekeeping."""

    async def tidy(self) -> None:
        """Do the housekeeping; stored data does not change."""
        ...
