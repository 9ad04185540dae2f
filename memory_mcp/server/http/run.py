"""Serves HTTP until a signal arrives."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from memory_mcp.server.http.readiness import Readiness
from memory_mcp.server.http.streamable import Streamable, identify
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.settings import Settings

GOODBYE_S: Final = 25
"""Seconds that calls in progress get to finish, which is what a batch of a bulk store may take, and a little more."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a server ends."""

    drain_s: float
    """How long it goes on serving while balancers hear that it ends."""
    drain: Callable[[], None]
    end: Callable[[], None]
    """Closes what would never end by itself."""


MakeProvider = Callable[[Settings, str], Identities | None]
"""Returns what knows the identity provider's tokens, for the URL by which clients reach this server."""


def no_provider(settings: Settings, url: str) -> None:
    """Return None: the tokens are our own alone."""
    del settings, url


class _UvicornServer(uvicorn.Server):
    """Exits normally on a signal; uvicorn would re-raise it and be killed.

    The first signal begins the draining, in which it still answers everything; the second ends that.
    """

    def __init__(self, config: uvicorn.Config, ending: _Ending) -> None:
        super().__init__(config)
        self._ending = ending
        self._is_draining = False
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        if self._is_draining or not self._ending.drain_s:
            self.end()
            return
        self._is_draining = True
        self._ending.drain()
        self._loop.call_soon_threadsafe(self._loop.call_later, self._ending.drain_s, self.end)

    def end(self) -> None:
        """Let it end; calls in progress may finish."""
        self.should_exit = True
        self._ending.drain()
        self._ending.end()


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
    readiness = Readiness(services.get)
    app = make_app(front, services, protocol, readiness, pages, page)

    def ending() -> None:
        protocol.end_streams()
        if page:
            page.ending()

    serving = _UvicornServer(_configured(app, binding), _Ending(settings.http_drain_s, readiness.end, ending))
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
