"""What stands before the protocol: names that are ours, and a token that holds."""

from __future__ import annotations

from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Principal, Token

PRINCIPAL: Final = "memory_mcp.principal"
CHALLENGE: Final = 'Bearer realm="memory-mcp"'


def identify(ctx: ServerRequestContext[dict[str, object]]) -> Principal:
    """Return who sent a request that has passed the guard."""
    principal: Principal = ctx.request.scope[PRINCIPAL]  # type: ignore[union-attr]  # a request has come by HTTP
    return principal


class Guard:
    """Lets a request through that calls us by our name and shows a token that holds."""

    def __init__(self, app: ASGIApp, tokens: Tokens, names: TransportSecuritySettings, namespace: str) -> None:
        self._app = app
        self._tokens = tokens
        self._names = TransportSecurityMiddleware(names)
        self._namespace = namespace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks for it."""
        request = Request(scope)
        refusal = await self._names.validate_request(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            token = self._tokens.holder(secret.strip()) if kind.lower() == "bearer" else None
        except SettingsError as error:
            await JSONResponse({"error": str(error)}, 503)(scope, receive, send)
            return
        if token is None:
            await _challenge(shown=bool(secret))(scope, receive, send)
            return
        await self._app({**scope, **self._known(token)}, receive, self._while_valid(token, send))

    def _known(self, token: Token) -> dict[str, object]:
        """Say who it is, to us and to the SDK, which lends a session to its own caller alone."""
        access = AccessToken(token="", client_id=token.id, scopes=[scope.value for scope in token.scopes])
        return {"user": AuthenticatedUser(access), PRINCIPAL: token.principal(self._namespace)}

    def _while_valid(self, token: Token, send: Send) -> Send:
        """Send nothing more when the token was revoked meanwhile: a stream may be open for days."""

        async def checked(message: Message) -> None:
            if message.get("body") and not self._tokens.is_valid(token.id):
                return
            await send(message)

        return checked


def _challenge(*, shown: bool) -> JSONResponse:
    """Return a 401; `memory-mcp token create` is the fix."""
    reason = ', error="invalid_token"' if shown else ""
    sentence = "a bearer token is needed, and this one does not hold" if shown else "a bearer token is needed"
    return JSONResponse(
        {"error": f"{sentence}; memory-mcp token create makes one"}, 401, {"WWW-Authenticate": CHALLENGE + reason}
    )
