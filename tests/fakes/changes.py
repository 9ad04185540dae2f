"""A fake of the log of changes."""

from __future__ import annotations

from datetime import datetime

from memory_mcp.domain.models import Event, MissedChanges
from tests.fakes.shelves import OnShelves


class FakeChanges(OnShelves):
    """See `domain.ports.Changes`."""

    async def generation(self) -> int:
        """Return the number of the last write."""
        return self.shelves.log[-1].seq if self.shelves.log else 0

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        """Return the first writes after a generation."""
        if after < self.shelves.floor:
            return MissedChanges(await self.generation())
        return [event for event in self.shelves.log if event.seq > after][:limit]

    async def prune_changes(self, before: datetime) -> int:
        """Forget writes; which namespaces there were is not forgotten."""
        log, floor = self.shelves.log, self.shelves.floor
        old = [event.seq for event in log[:-1] if event.at < before]
        pruned = [event.seq for event in log if floor < event.seq <= max(old, default=0)][:3]
        self.shelves.floor = max(pruned, default=floor)
        return len(pruned)
