"""What stands before the SDK's transport: a body that is one JSON-RPC message, or its error."""

from __future__ import annotations

import mcp_types as types
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.server.messages import parse


class Door:
    """Reads bodies as strictly as stdio reads lines; it is given each in one piece, within its bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a message on, and answer what is none."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        first = await receive()
        message = parse(first["body"]) if first["type"] == "http.request" else None  # else the client has gone
        if isinstance(message, types.JSONRPCError):
            body = message.model_dump_json(by_alias=True, exclude_unset=True)
            await Response(body, 400, media_type="application/json")(scope, receive, send)
            return
        await self._app(scope, _with(first, receive), send)


def _with(first: Message, rest: Receive) -> Receive:
    """Return what gives the first message once more, and then the others."""
    waiting = [first]

    async def receive() -> Message:
        return waiting.pop() if waiting else await rest()

    return receive
