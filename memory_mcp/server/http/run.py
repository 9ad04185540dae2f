"""Serves HTTP until a signal arrives."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from memory_mcp import logs
from memory_mcp.application.latencies import Latencies
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import Identities, Tokens
from memory_mcp.server.http.app import PATH, Front, ServePage, make_app
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.http.challenge import Challenge
from memory_mcp.server.http.metrics_page import METRICS_PATH, MetricsPage
from memory_mcp.server.http.prometheus import Metrics
from memory_mcp.server.http.streamable import Streamable, identify
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.settings import Settings

GOODBYE_S: Final = 5
"""Seconds that requests in progress get to finish after a signal; then streams are cut."""


MakeProvider = Callable[[Settings, str], Identities | None]
"""Returns what knows the identity provider's tokens, for the URL by which clients reach this server."""


def no_provider(settings: Settings, url: str) -> None:
    """Return None: the tokens are our own alone."""
    del settings, url


class _UvicornServer(uvicorn.Server):
    """Exits normally on a signal; uvicorn would re-raise it and be killed."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        self.end()

    def end(self) -> None:
        """Let it end; requests in progress may finish."""
        self.should_exit = True
        self._ending()


async def _serve(
    settings: Settings, binding: Binding, tokens: Tokens, page: ServePage | None, make_provider: MakeProvider
) -> None:
    listening = binding.listen()
    port: int = listening.getsockname()[1]
    services = LazyServices(settings)
    metrics = Metrics() if settings.metrics_enabled else None
    dispatcher = make_dispatcher(
        settings,
        services.get,
        rate_limited=True,
        is_audited=True,
        meter=metrics,
        latencies=Latencies() if page else None,
    )
    server = make_server(settings, services, dispatcher, identify, is_local=False)
    pages = {METRICS_PATH: MetricsPage(metrics, dispatcher, services.get)} if metrics else {}
    front = Front(settings, dispatcher, services.get, tokens, binding, port)
    front = replace(front, provider=make_provider(settings, front.public_url))
    protocol = Streamable(server, settings.http_max_body_bytes, Challenge(front.resource))
    app = make_app(front, services, protocol, pages, page)
    serving = _UvicornServer(_configured(app, binding), page.ending if page else lambda: None)
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


def serve_http(
    settings: Settings,
    binding: Binding,
    tokens: Tokens,
    page: ServePage | None = None,
    make_provider: MakeProvider = no_provider,
) -> None:
    """Serve HTTP until a signal arrives, with the page if it is given.

    Raises:
        SettingsError: cannot listen on the address, or clients cannot be told where it is.
    """
    logs.configure(settings)
    if settings.oidc_issuer and not (binding.is_local or settings.http_public_url):
        raise SettingsError(
            "MCP_MEMORY_HTTP_PUBLIC_URL: with an identity provider this server has to know its own name; set the URL "
            "by which clients reach it, such as https://memory.example.org"
        )
    try:
        asyncio.run(_serve(settings, binding, tokens, page, make_provider))
    finally:
        tokens.close()
