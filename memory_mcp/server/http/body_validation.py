"""What stands before the SDK's transport: a body that is one JSON-RPC message, or its error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.server.mcp.messages import Message as Rpc
from memory_mcp.server.mcp.messages import Refused, invalid_request, parse, request_id

SESSION: Final = b"mcp-session-id"

ENDING_S: Final = 0.5
"""Seconds that a request waits for another of its id: a client has read an answer before the SDK is done with it."""

Running = tuple[bytes, str]
"""The session and the id of a request."""


class BodyValidation:
    """Reads bodies as strictly as stdio reads lines; it is given each in one piece, within its bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: dict[Running, asyncio.Event] = {}
        """The requests that are being answered, and what is set when one has been."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a message on, and answer what is none."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        first = await receive()
        message = parse(first["body"]) if first["type"] == "http.request" else None  # else the client has gone
        running = _running(scope, message)
        if running is not None and not await self._has_ended(running):
            message = invalid_request("id: another request with this id is in progress; use a new id")
        if isinstance(message, Refused):
            await Response(message.json(), 400, media_type="application/json")(scope, receive, send)
            return
        with self._marked(running):
            await self._app(scope, _with(first, receive), send)

    async def _has_ended(self, running: Running) -> bool:
        """Say whether no request of this id is being answered, or will not be in a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                while running in self._running:
                    await self._running[running].wait()
        return running not in self._running

    @contextlib.contextmanager
    def _marked(self, running: Running | None) -> Iterator[None]:
        """Remember a request while it is answered: the SDK forgets the first of two with one id, unanswered."""
        if running is None:
            yield
            return
        self._running[running] = asyncio.Event()
        try:
            yield
        finally:
            self._running.pop(running).set()


def _running(scope: Scope, message: Rpc | Refused | None) -> Running | None:
    """Return the session and the id of a request that has both; the SDK takes 1 and "1" for the same."""
    session: bytes | None = next((value for name, value in scope["headers"] if name == SESSION), None)
    named = request_id(message)
    return (session, str(named)) if session and named is not None else None


def _with(first: Message, rest: Receive) -> Receive:
    """Return what gives the first message once more, and then the others."""
    waiting = [first]

    async def receive() -> Message:
        return waiting.pop() if waiting else await rest()

    return receive
