"""The principal: who calls, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

from pydantic import BaseModel

from memory_mcp.domain.principal import Principal
from memory_mcp.server.mcp.chain.asked import Asked, Context

Identify = Callable[[Context], Principal]
"""Says who sent a request; raises when nobody did."""

_CALLER: Final[ContextVar[Principal]] = ContextVar("caller")


def caller() -> Principal:
    """Return who sent the request that is being answered; there is always one, or this is a bug."""
    return _CALLER.get()


class Callers:
    """Knows each request's caller, and refuses what they may not do."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def __call__(self, asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
        """Go on as the caller.

        Raises:
            ForbiddenError: a scope is missing.
        """
        principal = self._identify(asked.ctx)
        for scope in asked.scopes:
            principal.require(scope)
        token = _CALLER.set(principal)
        try:
            return await proceed()
        finally:
            _CALLER.reset(token)
