"""`/metrics`: what Prometheus asks for, shown to admins of all namespaces."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.principal import Principal
from memory_mcp.domain.principal import Scope as Permission
from memory_mcp.metrics import Metrics
from memory_mcp.server.http.guard import PRINCIPAL
from memory_mcp.server.mcp.session import LazyServices


class MetricsPage:
    """An ASGI application behind the guard: its figures are those of all callers together."""

    def __init__(self, metrics: Metrics, services: LazyServices) -> None:
        self._metrics = metrics
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks for it."""
        try:
            _check(scope[PRINCIPAL])
        except ForbiddenError as error:
            await JSONResponse({"error": str(error)}, 403)(scope, receive, send)
            return
        figures = await (await self._services.get()).status.figures()
        page = self._metrics.page(figures.totals, figures.queue, figures.breaker)
        await Response(page, headers={"Content-Type": CONTENT_TYPE_LATEST})(scope, receive, send)


def _check(principal: Principal) -> None:
    principal.require(Permission.ADMIN)
    if principal.reach.bound:
        raise ForbiddenError(f"these figures are of all namespaces, and the token {principal.name!r} is bound to one")
