"""The guard before MCP: checks the host name and the token."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Reach, Token
from memory_mcp.environment import HOP_HEADER
from memory_mcp.server.http.errors import to_response

PRINCIPAL: Final = "memory_mcp.principal"
"""The key of the `Principal` in the ASGI scope, set by the guard."""
CHALLENGE: Final = 'Bearer realm="memory-mcp"'


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

    def __init__(self, app: ASGIApp, tokens: Tokens, check_names: CheckNames, default: Reach) -> None:
        self._app = app
        self._tokens = tokens
        self._check_names = check_names
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        refusal = await self._check_names(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            token = self._tokens.holder(secret.strip()) if kind.lower() == "bearer" else None
        except SettingsError as error:
            await to_response(error)(scope, receive, send)
            return
        if token is None:
            await _challenge(shown=bool(secret))(scope, receive, send)
            return
        is_source = HOP_HEADER in request.headers
        known = {PRINCIPAL: replace(token.principal(self._default), is_source=is_source)}
        await self._app({**scope, **known}, receive, self._while_valid(token, send))

    def _while_valid(self, token: Token, send: Send) -> Send:
        """Stop sending once the token is revoked: a stream may be open for days."""

        async def checked(message: Message) -> None:
            if message.get("body") and not self._tokens.is_valid(token.id):
                return
            await send(message)

        return checked


def _challenge(*, shown: bool) -> JSONResponse:
    """Return a 401 response that names the fix."""
    reason = ', error="invalid_token"' if shown else ""
    sentence = "this bearer token is not valid" if shown else "a bearer token is required"
    return JSONResponse(
        {"error": f"{sentence}; `memory-mcp token create NAME` makes one"},
        401,
        {"WWW-Authenticate": CHALLENGE + reason},
    )
