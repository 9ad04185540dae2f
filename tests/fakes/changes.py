"""A fake of the log of changes."""

from __future__ import annotations

from memory_mcp.domain.models import Event
from tests.fakes.shelves import OnShelves


class FakeChanges(OnShelves):
    """See `domain.ports.Changes`."""

    async def generation(self) -> int:
        """Return the number of the last write."""
        return self.shelves.log[-1].seq if self.shelves.log else 0

    async def events(self, after: int, limit: int) -> list[Event]:
        """Return the first writes after a generation."""
        return [event for event in self.shelves.log if event.seq > after][:limit]
