"""The log of changes."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from memory_mcp.domain.models import Event, MissedChanges


class Changes(Protocol):
    """Numbers every write, by whatever process."""

    async def generation(self) -> int:
        """Return a number that grows with every write; 0 before the first."""
        ...

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        """Return the first writes after this generation, in order; MissedChanges once some of them were pruned."""
        ...

    async def prune_changes(self, before: datetime) -> int:
        """Forget the writes before a moment, about a thousand at a time; return how many, 0 at the end.

        The latest write stays, however old it is: the store's generation never gets smaller.
        """
        ...
