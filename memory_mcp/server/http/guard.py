"""The guard before MCP: checks the host name and the token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
