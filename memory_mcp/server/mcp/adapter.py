"""Converts MCP requests to the dispatcher's, and domain errors to MCP's."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar
from urllib.parse import unquote

from mcp.server.context import ServerRequestContext

from memory_mcp.application.dispatcher import Dispatcher
from memory_mcp.application.request import Request
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.server.mcp import errors

P = TypeVar("P")
R = TypeVar("R")
Context = ServerRequestContext[dict[str, object]]
Identify = Callable[[Context], Awaitable[Principal]]
"""Returns the principal of a request; raises ForbiddenError if there is none."""

READING: Final = frozenset(
    {"resources/read", "resources/subscribe", "subscriptions/listen", "prompts/get", "completion/complete"}
)
"""Methods besides tools/call that read memories; all others need no store."""


OF_ONE: Final = re.compile(r"memory://(?:memory|document)/(.{1,128})")
"""The address of one memory or document, with its id."""


class Adapter:
    """Wraps the SDK's handlers, except that of tools/call, with the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, identify: Identify) -> None:
        self._dispatcher = dispatcher
        self._identify = identify

    def around(self, handler: Callable[[Principal, Context, P], Awaitable[R]]) -> Callable[[Context, P], Awaitable[R]]:
        """Turn a handler that takes a principal into one that the SDK can call."""

        async def handle(ctx: Context, params: P) -> R:
            try:
                principal = await self._identify(ctx)
                work = partial(handler, principal, ctx, params)
                return await self._dispatcher.run(_request(principal, ctx, work, _named_in(params)))
            except MemoryMcpError as error:
                raise errors.to_protocol(error) from error

        return handle


def _request(principal: Principal, ctx: Context, work: Callable[[], Awaitable[R]], ids: list[str]) -> Request[R]:
    if ctx.method in READING:
        return Request(principal, ctx.method, work, (Scope.READ,), "read", concerns=ids, is_audited=True)
    return Request(principal, ctx.method, work)


def _named_in(params: object) -> list[str]:
    """Return the id in the address of a resource, for the audit."""
    found = OF_ONE.fullmatch(str(getattr(params, "uri", "")))
    return [unquote(found[1])] if found else []
