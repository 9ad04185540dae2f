"""MCP's streamable HTTP transport: the only module of `server/http` that needs the SDK."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import (
    RequestBodyLimitMiddleware,
    TransportSecurityMiddleware,
    TransportSecuritySettings,
)
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Principal
from memory_mcp.server.http.body_validation import BodyValidation, step_up
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.http.guard import PRINCIPAL
from memory_mcp.server.http.streams import Streams
from memory_mcp.server.mcp.adapter import Context

MAX_SESSIONS: Final = 1_000


async def identify(ctx: Context) -> Principal:
    """Return the principal that the guard set.

    Raises:
        ForbiddenError: the request has not passed the guard.
    """
    principal: object = ctx.request.scope.get(PRINCIPAL) if isinstance(ctx.request, Request) else None
    if not isinstance(principal, Principal):
        raise ForbiddenError("this request has no token; send one")
    return principal


class Streamable:
    """An ASGI application that speaks MCP; requests have passed the guard."""

    def __init__(self, server: Server[dict[str, object]], max_body_bytes: int, challenge: Challenge) -> None:
        """Serve; `challenge` tells a client that lacks a scope how to get it."""
        self._manager = StreamableHTTPSessionManager(
            server, max_request_body_size=max_body_bytes, max_sessions=MAX_SESSIONS
        )
        self._streams = Streams()
        validated = BodyValidation(
            self._manager.handle_request,
            self._streams,
            lambda scope, message: step_up(scope[PRINCIPAL], message, challenge),
        )
        self._app: ASGIApp = RequestBodyLimitMiddleware(validated, max_body_bytes)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the session manager for as long as the context lasts."""
        AppStatus.enable_automatic_graceful_drain = False  # else a signal cuts the answers of calls in progress
        async with self._manager.run():
            yield

    def end_streams(self) -> None:
        """Close what clients keep open to hear news."""
        self._streams.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. The SDK gets its principal, and lets only that principal use the session."""
        principal: Principal = scope[PRINCIPAL]
        access = AccessToken(token="", client_id=_owner(principal), scopes=[scope.value for scope in principal.scopes])
        await self._app({**scope, "user": AuthenticatedUser(access)}, receive, send)


def _owner(principal: Principal) -> str:
    """Return whose a session is: a caller's whose rights have changed begins a new one.

    What it subscribed to before could tell of namespaces that it has lost.
    """
    return repr((principal.id, sorted(principal.scopes), principal.reach))


def check_names(hosts: Sequence[str], origins: Sequence[str]) -> Callable[[Request], Awaitable[Response | None]]:
    """Return what refuses requests whose Host or Origin is not listed, and has no answer to the others.

    The guard asks it before every page, not the protocol alone. It is the SDK's because Starlette's own check looks
    neither at the port nor at the Origin.
    """
    names = TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=list(origins))
    return TransportSecurityMiddleware(names).validate_request
