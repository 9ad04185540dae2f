"""A real HTTP server on loopback that answers well, or with a fault, by the path that is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

NOTES = [
    {"body": f"the boat number {number}", "name": f"Boat {number}", "link": f"https://wiki.test/{number}", "day": day}
    for number, day in enumerate(["2026-05-03", "2026-05-04T10:00:00+02:00", 1_777_777_777, None, "never"])
]
MEGABYTE = b"x" * (1 << 20)


@dataclass
class WebServer:
    """An ASGI application; it keeps what it was asked."""

    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, path with query, headers and body of each."""
    port: int = 0
    elsewhere: str = ""
    """Where `/away` redirects to."""
    failures: int = 0
    """How many requests of `/flaky` fail before one succeeds."""
    sent_megabytes: int = 0
    hung: int = 0
    let_go: int = 0
    """How many requests hang, and how many of those were given up."""

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.requests.append((request.method, path, dict(request.headers), await request.body()))
        if request.url.path == "/hang":
            await self._hang(receive)
            return
        await self._answer(request)(scope, receive, send)

    async def _hang(self, receive: Receive) -> None:
        self.hung += 1
        while (await receive())["type"] != "http.disconnect":
            pass
        self.let_go += 1

    def _answer(self, request: Request) -> Response:  # noqa: C901, PLR0911, PLR0912 - one line for each path
        match request.url.path:
            case "/flaky" if self.failures:
                self.failures -= 1
                return Response("try later", 503)
            case "/notes" | "/flaky":
                return JSONResponse({"results": NOTES})
            case "/tagged":
                if request.headers.get("if-none-match") == '"1"':
                    return Response(status_code=304)
                return JSONResponse({"results": NOTES}, headers={"ETag": '"1"'})
            case "/page":
                return HTMLResponse("<html><body>Log in</body></html>")
            case "/long":
                return JSONResponse({"results": [{"body": f"boat {number} {'x' * 500}"} for number in range(500)]})
            case "/latin":
                return Response(b'{"results": [{"body": "caf\xe9"}]}', media_type="application/json")
            case "/deep":
                return Response("[" * 100_000, media_type="application/json")
            case "/huge":
                return StreamingResponse(self._megabytes(100), media_type="application/json")
            case "/gzip":
                return Response(b"\x1f\x8b", headers={"content-encoding": "gzip"})
            case "/busy":
                return Response("later", 429, headers={"Retry-After": "7"})
            case "/locked":
                return Response("no", 401)
            case "/away":
                return RedirectResponse(self.elsewhere, 302)
            case "/moved":
                return RedirectResponse("/notes", 307)
            case "/round":
                return RedirectResponse("/round", 302)
            case _:
                return Response("nothing here", 404)

    async def _megabytes(self, count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            self.sent_megabytes += 1
            yield MEGABYTE


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(application: Any, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an application in this loop."""
    server = _Quiet(uvicorn.Config(application, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def listen() -> socket.socket:
    """Return a socket on a free port of loopback."""
    return socket.create_server(("127.0.0.1", 0))


@contextlib.asynccontextmanager
async def web_server() -> AsyncIterator[WebServer]:
    """Run a server."""
    made, listening = WebServer(), listen()
    made.port = listening.getsockname()[1]
    server = _Quiet(uvicorn.Config(made, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield made
    finally:
        server.should_exit = True
        await task


def body_of(request: tuple[str, str, dict[str, str], bytes]) -> object:
    """Return the JSON that a request brought."""
    return json.loads(request[3])
