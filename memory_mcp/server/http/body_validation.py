"""Validates bodies before the SDK's transport: one JSON-RPC message, or an error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Principal
from memory_mcp.domain.principal import Scope as Permission
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.http.streams import Streams
from memory_mcp.server.mcp.adapter import READING
from memory_mcp.server.mcp.messages import Message as Rpc
from memory_mcp.server.mcp.messages import Refused, asked_for, begins, invalid_request, parse, request_id

SESSION: Final = b"mcp-session-id"
LISTEN: Final = "subscriptions/listen"
"""The request whose answer is a stream, from 2026-07-28 on; before, a GET was."""

ENDING_S: Final = 0.5
"""Seconds that a request waits for one with the same id: a client may read an answer before the SDK is done with it."""

RefuseMessage = Callable[[Scope, Rpc | None], Response | None]
"""Returns why a message is not passed on."""
Running = tuple[bytes, str]
"""The session and the id of a request."""


class BodyValidation:
    """Parses bodies as strictly as stdio parses lines; each body arrives whole and within its size limit."""

    def __init__(self, app: ASGIApp, streams: Streams, refuse: RefuseMessage | None = None) -> None:
        """Stand before an application; `refuse` may answer a valid message in its place."""
        self._app = app
        self._streams = streams
        self._refuse = refuse
        self._running: dict[Running, asyncio.Event] = {}
        """The requests in progress, with an event that is set at the end of each."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a valid message; answer anything else with an error."""
        if scope["method"] == "GET":
            await self._streams.run(self._app, scope, receive, send)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        first = await receive()
        message = parse(first["body"]) if first["type"] == "http.request" else None  # else the client disconnected
        running = _running(scope, message)
        if running is not None and not await self._has_ended(running):
            message = invalid_request("id: another request with this id is in progress; use a new id")
        if isinstance(message, Refused):
            await Response(message.json(), 400, media_type="application/json")(scope, receive, send)
            return
        if self._refuse and (refusal := self._refuse(scope, message)):
            await refusal(scope, receive, send)
            return
        with self._marked(running):
            if begins(message, LISTEN):
                await self._streams.run(self._app, scope, _with(first, receive), send)
            else:
                await self._app(scope, _with(first, receive), send)

    async def _has_ended(self, running: Running) -> bool:
        """Return whether no request with this id is in progress, waiting a moment for one to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                while running in self._running:
                    await self._running[running].wait()
        return running not in self._running

    @contextlib.contextmanager
    def _marked(self, running: Running | None) -> Iterator[None]:
        """Mark a request as in progress: of two with the same id the SDK would never answer the first."""
        if running is None:
            yield
            return
        self._running[running] = asyncio.Event()
        try:
            yield
        finally:
            self._running.pop(running).set()


def _running(scope: Scope, message: Rpc | Refused | None) -> Running | None:
    """Return the session and id of a request that has both; to the SDK the ids 1 and "1" are the same."""
    session: bytes | None = next((value for name, value in scope["headers"] if name == SESSION), None)
    named = request_id(message)
    return (session, str(named)) if session and named is not None else None


def _with(first: Message, rest: Receive) -> Receive:
    """Return a receive function that repeats the first message, then passes on the rest."""
    waiting = [first]

    async def receive() -> Message:
        return waiting.pop() if waiting else await rest()

    return receive


def step_up(principal: Principal, message: Rpc | None, challenge: Challenge) -> Response | None:
    """Return the 403 that names what to ask the provider for; None where that would not help, or nothing is lacking.

    All others get the error of their call, which a model can read.
    """
    asked = asked_for(message)
    if not principal.issuer or asked is None:
        return None
    lacking = [scope for scope in _needed(*asked) if not principal.may(scope)]
    if not lacking or challenge.resource is None or not challenge.resource.words_for(lacking):
        return None
    named = " and ".join(repr(scope.value) for scope in lacking)
    return challenge.forbidden(ForbiddenError(f"this needs the scope {named}; sign in again for it"), lacking)


def _needed(method: str, name: object) -> tuple[Permission, ...]:
    """Return the scopes that a request needs; those of a tool that there is not are none."""
    if method in READING:
        return (Permission.READ,)
    if method != "tools/call":
        return ()
    from memory_mcp.tools import TOOLS  # noqa: PLC0415 - the whole program, after the start

    return next((tool.scopes for tool in TOOLS if tool.name == name), ())
