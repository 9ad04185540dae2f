"""Who presents a bearer token over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from memory_mcp.domain.principal import Principal


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a bearer token."""

    principal: Principal
    expires_at: datetime | None = None
    """When the token ends, and with it what is open; None for never."""


class Identities(Protocol):
    """Knows tokens of one or more kinds."""

    async def identify(self, bearer: str) -> Caller | None:
        """Return who presents a token; None if it is not valid.

        Raises:
            ForbiddenError: it is valid, and grants nothing here.
            MemoryMcpError: it cannot be checked now.
        """
        ...

    async def is_valid(self, identity: Caller) -> bool:
        """Return whether a token that has not expired still holds; False if that cannot be checked."""
        ...
