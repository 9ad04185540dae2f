"""The log of changes."""

from __future__ import annotations

from typing import Protocol

from memory_mcp.domain.models import Event


class Changes(Protocol):
    """Numbers every write, by whatever process."""

    async def generation(self) -> int:
        """Return a number that grows with every write; 0 before the first."""
        ...

    async def events(self, after: int, limit: int) -> list[Event]:
        """Return the first writes after this generation, in order."""
        ...
