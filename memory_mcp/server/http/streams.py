"""Streams that a client keeps open to hear news; they are closed when the server is to end, unlike calls."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Streams:
    """Those that are open."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Close all of them, and each new one at once: its client opens another, on a server that goes on."""
        self._ending.set()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an application send a stream until it ends, its client leaves or the server is to end."""
        is_open = False

        async def sending(message: Message) -> None:
            nonlocal is_open
            await send(message)
            is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))

        async def receiving() -> Message:
            return await self._received(receive)

        await app(scope, receiving, sending)
        if is_open:
            with contextlib.suppress(OSError):  # the client has left
                await send({"type": "http.response.body", "body": b""})

    async def _received(self, receive: Receive) -> Message:
        """Return what the client sends; that it has left once the server is to end."""
        hearing, ending = asyncio.ensure_future(receive()), asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait([hearing, ending], return_when=asyncio.FIRST_COMPLETED)
            return hearing.result() if hearing.done() else {"type": "http.disconnect"}
        finally:
            hearing.cancel()
            ending.cancel()
