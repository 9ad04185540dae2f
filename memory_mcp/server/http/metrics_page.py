"""`/metrics` for Prometheus, readable by admins of all namespaces."""

from __future__ import annotations

from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from memory_mcp.application.dispatcher import Dispatcher, GetServices
from memory_mcp.application.request import Request
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.principal import Principal
from memory_mcp.domain.principal import Scope as Permission
from memory_mcp.server.http.errors import to_response
from memory_mcp.server.http.guard import PRINCIPAL
from memory_mcp.server.http.prometheus import Metrics

NAME: Final = "metrics"
METRICS_PATH: Final = "/metrics"


class MetricsPage:
    """An ASGI application behind the guard; its figures cover all callers."""

    def __init__(self, metrics: Metrics, dispatcher: Dispatcher, services: GetServices) -> None:
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope[PRINCIPAL]
        request = Request(principal, NAME, partial(self._page, principal), (Permission.ADMIN,))
        try:
            response = Response(await self._dispatcher.run(request), headers={"Content-Type": CONTENT_TYPE_LATEST})
        except MemoryMcpError as error:
            response = to_response(error)
        await response(scope, receive, send)

    async def _page(self, principal: Principal) -> bytes:
        principal.require_operator()
        services = await self._services()
        figures = await services.status.figures()
        requests, sources = services.context.requests, figures.sources
        return self._metrics.page(figures.totals, figures.queue, figures.breaker, requests, sources)
