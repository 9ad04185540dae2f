"""The guard before MCP: checks the host name and the token."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.domain.errors import ForbiddenError, MemoryMcpError, StoreError
from memory_mcp.domain.ports import Identities
from memory_mcp.domain.ports.identities import Caller
from memory_mcp.environment import HOP_HEADER
from memory_mcp.logger import Logger
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.http.errors import to_response

PRINCIPAL: Final = "memory_mcp.principal"
"""The key of the `Principal` in the ASGI scope, set by the guard."""


UNCHECKED: Final = StoreError(
    "tokens cannot be checked now; try again, or ask who runs this server to look at its log and memory-mcp doctor"
)
"""What somebody hears whom nobody knows: not where the database is, nor what is wrong there."""
log = Logger(__name__)

CheckNames = Callable[[Request], Awaitable[Response | None]]
"""Returns an error response if a request's Host or Origin is not allowed, else None."""


def also_by_address(check_names: CheckNames, paths: Collection[str]) -> CheckNames:
    """Return a check that lets orchestrators and Prometheus ask for these paths by the address of a pod.

    The check is there for pages whose name was bent to this server: they send that name as the Host. An address cannot
    be bent. A request that names the page that it comes from is checked as ever.
    """

    async def check(request: Request) -> Response | None:
        if request.scope["path"].rstrip("/") in paths and _is_by_address(request):
            return None
        return await check_names(request)

    return check


def _is_by_address(request: Request) -> bool:
    try:
        ipaddress.ip_address((request.url.hostname or "").strip("[]"))
    except ValueError:
        return False
    return "origin" not in request.headers


class Guard:
    """Lets through requests with an allowed Host and Origin and a valid token."""

    def __init__(
        self,
        app: ASGIApp,
        identities: Identities,
        check_names: CheckNames,
        challenge: Challenge,
        public: Mapping[str, Response],
    ) -> None:
        """Stand before an application.

        Args:
            app: gets the requests that are let through.
            identities: know the tokens.
            check_names: is asked first.
            challenge: answers all others.
            public: what anybody may get, by its path.
        """
        self._app = app
        self._identities = identities
        self._check_names = check_names
        self._challenge = challenge
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        refusal = await self._check_names(request) or self._of_anybody(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        identity = await self._identified(request)
        if isinstance(identity, Response):
            await identity(scope, receive, send)
            return
        known = replace(identity.principal, is_source=HOP_HEADER in request.headers)
        await self._until_it_expires(identity, {**scope, PRINCIPAL: known}, receive, send)

    def _of_anybody(self, request: Request) -> Response | None:
        return self._public.get(request.url.path.rstrip("/")) if request.method == "GET" else None

    async def _identified(self, request: Request) -> Caller | Response:
        """Return who calls, or why the request is refused."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        secret = given.strip()
        try:
            identity = await self._identities.identify(secret) if kind.lower() == "bearer" else None
        except ForbiddenError as error:
            return self._challenge.forbidden(error)
        except StoreError as error:
            log.warning("a token could not be checked", cause=str(error))
            return to_response(UNCHECKED)
        except MemoryMcpError as error:
            return to_response(error)
        return identity or self._challenge.unauthorized(shown=bool(secret))

    async def _until_it_expires(self, identity: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and end what is still open when its token expires or is revoked."""
        limit = asyncio.timeout(_seconds_left(identity))
        now = asyncio.get_running_loop().time
        sending = _Sending(send, lambda: self._identities.is_valid(identity), lambda: limit.reschedule(now()))
        try:
            async with limit:
                await self._app(scope, receive, sending)
        except TimeoutError:
            if not limit.expired():
                raise
            if sending.is_begun:
                await sending.end()
            else:
                await self._challenge.unauthorized(shown=True)(scope, receive, send)


class _Sending:
    """Sends nothing more once the token is revoked: a stream may be open for days."""

    def __init__(self, send: Send, is_valid: Callable[[], Awaitable[bool]], end: Callable[[], None]) -> None:
        self._send = send
        self._is_valid = is_valid
        self._end = end
        self.is_begun = False

    async def __call__(self, message: Message) -> None:
        if message.get("body") and not await self._is_valid():
            self._end()
            return
        self.is_begun = True
        await self._send(message)

    async def end(self) -> None:
        """End the answer as if it were whole; a stream's client asks again, and is told that its token has ended."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _seconds_left(identity: Caller) -> float | None:
    if identity.expires_at is None:
        return None
    return max(0.0, (identity.expires_at - datetime.now(UTC)).total_seconds())
