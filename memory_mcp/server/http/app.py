"""The ASGI application: the protocol and the pages beside it, all behind the guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.context.project import reach_of
from memory_mcp.domain.ports import Tokens
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.guard import Guard
from memory_mcp.server.http.streamable import Streamable, check_names
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.settings import Settings

PATH: Final = "/mcp"


def make_app(
    settings: Settings,
    services: LazyServices,
    protocol: Streamable,
    tokens: Tokens,
    binding: Binding,
    port: int,
    pages: Mapping[str, ASGIApp],
) -> ASGIApp:
    """Return the application for a server on a port.

    Args:
        settings: its lists of hosts and origins.
        services: made while the server starts.
        protocol: answers at `PATH`, whatever the method.
        tokens: what clients show.
        binding: where the server listens.
        port: the one that it got.
        pages: what answers a GET of each other path, the same check of Host, Origin and token before it.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        services.warm()
        async with protocol.running():
            yield

    names = check_names(
        binding.hosts(port, settings.http_allowed_hosts),
        [*settings.http_allowed_origins, *_own_origins(binding, port)],
    )
    app = Starlette(lifespan=lifespan)
    app.mount("/", Guard(_routed(protocol, pages), tokens, names, reach_of(settings.namespace)))
    return app


def _own_origins(binding: Binding, port: int) -> list[str]:
    return [f"{binding.scheme}://{host}" for host in binding.hosts(port, ("localhost",))] if binding.is_local else []


def _routed(protocol: ASGIApp, pages: Mapping[str, ASGIApp]) -> ASGIApp:
    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == PATH:
            await protocol(scope, receive, send)
        elif scope["method"] == "GET" and (page := pages.get(scope["path"])):
            await page(scope, receive, send)
        else:
            await JSONResponse({"error": f"there is no such page; MCP clients use {PATH}"}, 404)(scope, receive, send)

    return route
