"""Serves HTTP until a signal arrives."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from memory_mcp import logs
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.ports import Tokens
from memory_mcp.server.http.app import PATH, Front, ServePage, make_app
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.metrics_page import METRICS_PATH, MetricsPage
from memory_mcp.server.http.prometheus import Metrics
from memory_mcp.server.http.streamable import Streamable, identify
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.settings import Settings

GOODBYE_S: Final = 5
"""Seconds that requests in progress get to finish after a signal; then streams are cut."""


class _UvicornServer(uvicorn.Server):
    """Exits normally on a signal; uvicorn would re-raise it and be killed."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        self.end()

    def end(self) -> None:
        """Let it end; requests in progress may finish."""
        self.should_exit = True


async def _serve(settings: Settings, binding: Binding, tokens: Tokens, page: ServePage | None) -> None:
    listening = binding.listen()
    port: int = listening.getsockname()[1]
    services = LazyServices(settings)
    metrics = Metrics() if settings.metrics_enabled else None
    dispatcher = make_dispatcher(settings, services.get, rate_limited=True, meter=metrics)
    server = make_server(settings, services, dispatcher, identify, is_local=False)
    protocol = Streamable(server, settings.http_max_body_bytes)
    pages = {METRICS_PATH: MetricsPage(metrics, dispatcher, services.get)} if metrics else {}
    front = Front(settings, dispatcher, services.get, tokens, binding, port)
    app = make_app(front, services, protocol, pages, page.app(front) if page else None)
    serving = _UvicornServer(_configured(app, binding))
    _say(f"serving {front.url}{PATH}")
    try:
        async with page.running(front, serving.end) if page else contextlib.nullcontext():
            await serving.serve(sockets=[listening])
    finally:
        await services.close()


def _configured(app: ASGIApp, binding: Binding) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GOODBYE_S,
        ssl_certfile=binding.cert,
        ssl_keyfile=binding.key,
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"memory-mcp: {sentence}\n")
    sys.stderr.flush()


def serve_http(settings: Settings, binding: Binding, tokens: Tokens, page: ServePage | None = None) -> None:
    """Serve HTTP until a signal arrives, with the page if it is given.

    Raises:
        SettingsError: cannot listen on the address, or cannot read the token file.
    """
    logs.configure(settings)
    if not tokens.all():
        _say("there is no token yet; `memory-mcp token create NAME` makes one")
    asyncio.run(_serve(settings, binding, tokens, page))
