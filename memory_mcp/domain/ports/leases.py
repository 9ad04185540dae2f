"""Leases: one process at a time does a chore."""

from __future__ import annotations

from typing import Protocol


class Leases(Protocol):
    """Leases by name, shared by all processes that use the store."""

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or extend a lease; False while another owner's is valid."""
        ...
