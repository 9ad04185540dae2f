"""The ASGI application: the protocol's path and the metrics', behind the guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import RequestBodyLimitMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.door import Door
from memory_mcp.server.http.guard import Guard
from memory_mcp.server.mcp.session import LazyServices
from memory_mcp.settings import Settings
from memory_mcp.storage.factory import make_tokens

PATH: Final = "/mcp"
METRICS_PATH: Final = "/metrics"
MAX_SESSIONS: Final = 1_000


def make_app(
    settings: Settings,
    services: LazyServices,
    server: Server[dict[str, object]],
    binding: Binding,
    port: int,
    metrics: ASGIApp | None = None,
) -> ASGIApp:
    """Return the application for a server on a port, with a page of metrics where there are some."""
    most = settings.http_max_body_bytes
    manager = StreamableHTTPSessionManager(server, max_request_body_size=most, max_sessions=MAX_SESSIONS)
    protocol = RequestBodyLimitMiddleware(Door(manager.handle_request), most)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        services.warm()
        async with manager.run():
            yield

    names = TransportSecuritySettings(
        allowed_hosts=binding.hosts(port, settings.http_allowed_hosts),
        allowed_origins=list(settings.http_allowed_origins) + _own_origins(binding, port),
    )
    app = Starlette(lifespan=lifespan)
    app.mount("/", Guard(_only(protocol, metrics), make_tokens(settings), names, settings.namespace))
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
