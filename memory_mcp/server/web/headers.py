"""The headers of every answer of the page: what a browser may load, keep and tell others."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS: Final = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CACHING: Final = "Cache-Control"
STATIC_PATH: Final = "/static"
NOT_KEPT: Final = "no-store"
ASKED_AGAIN: Final = "no-cache"
"""Kept, but used only after the server has said that it is still current."""


class SafeHeaders:
    """Adds the headers to each answer; content is kept by nobody, unless the answer says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                is_static = scope["path"].startswith(f"{STATIC_PATH}/")
                headers.setdefault(CACHING, ASKED_AGAIN if is_static else NOT_KEPT)
            await send(message)

        await self._app(scope, receive, with_headers)
