"""A fake of the leases."""

from __future__ import annotations

from tests.fakes.shelves import OnShelves

LONGEST_LEASE_S = 3600


class FakeLeases(OnShelves):
    """See `domain.ports.Leases`."""

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease."""
        now = self.shelves.clock()
        holder, until = self.shelves.leases.get(name, (owner, now))
        if holder != owner and now < until <= now + LONGEST_LEASE_S:
            return False
        self.shelves.leases[name] = (owner, now + seconds)
        return True
