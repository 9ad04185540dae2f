"""The ASGI application: the protocol's path and the metrics', behind the guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.domain.ports import Tokens
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.guard import Guard
from memory_mcp.server.http.streamable import Streamable, check_names
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.settings import Settings

PATH: Final = "/mcp"
METRICS_PATH: Final = "/metrics"


def make_app(
    settings: Settings,
    services: LazyServices,
    protocol: Streamable,
    tokens: Tokens,
    binding: Binding,
    port: int,
    metrics: ASGIApp | None = None,
) -> ASGIApp:
    """Return the application for a server on a port, with a page of metrics where there are some."""

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
    app.mount("/", Guard(_only(protocol, metrics), tokens, names, settings.namespace))
    return app


def _own_origins(binding: Binding, port: int) -> list[str]:
    return [f"{binding.scheme}://{host}" for host in binding.hosts(port, ("localhost",))] if binding.is_local else []


def _only(protocol: ASGIApp, metrics: ASGIApp | None) -> ASGIApp:
    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == PATH:
            await protocol(scope, receive, send)
        elif metrics is not None and (scope["method"], scope["path"]) == ("GET", METRICS_PATH):
            await metrics(scope, receive, send)
        else:
            await JSONResponse({"error": f"there is no such page; clients ask {PATH}"}, 404)(scope, receive, send)

    return route
