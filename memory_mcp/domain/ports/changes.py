"""The change log."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from memory_mcp.domain.models import Event, MissedChanges


class Changes(Protocol):
    """Numbers every write by any process."""

    async def generation(self) -> int:
        """Return a number that grows with every write; 0 before the first."""
        ...

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        """Return the first writes after this generation, in order; MissedChanges if some were pruned."""
        ...

    async def prune_changes(self, before: datetime) -> int:
        """Remove writes older than a moment, about a thousand at a time; return the number, 0 when done.

        The latest write stays however old it is, so the generation never decreases.
        """
        ...
