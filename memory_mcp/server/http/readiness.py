"""`/livez` and `/readyz` for orchestrators and balancers: no token, and nothing in them that is worth one."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_mcp.application.dispatcher import GetServices
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.logger import Logger
from memory_mcp.server.http.guard import CheckNames

LIVE: Final = "/livez"
READY: Final = "/readyz"
PROBES: Final = (LIVE, READY)
LOOK_S: Final = 2.0
"""How long the store may take to answer."""
SHARED_S: Final = 1.0
"""For how long one answer of the store serves every probe: whoever has no token cannot make it work."""
ENDING: Final = "this server is ending; ask another"
SILENT: Final = "the store does not answer; memory-mcp doctor says why"
NO_VECTORS: Final = "the embedder does not answer; searches use words alone"

log = Logger(__name__)


class Readiness:
    """What is known of a front that serves."""

    def __init__(self, services: GetServices) -> None:
        self._services = services
        self._is_ending = self._is_warm = False
        self._look: asyncio.Task[str | None] | None = None
        self._looked_at = 0.0

    def end(self) -> None:
        """Tell balancers from now on that other servers should be asked."""
        self._is_ending = True

    def behind(self, check_names: CheckNames) -> ASGIApp:
        """Return what answers both paths, with this check of the names that browsers send."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            answer = await check_names(request) or await self._answered(request)
            await answer(scope, receive, send)

        return app

    async def _answered(self, request: Request) -> JSONResponse:
        if request.method not in {"GET", "HEAD"}:
            return JSONResponse({"error": f"{request.url.path} is only read; use GET"}, 405, {"Allow": "GET, HEAD"})
        if request.url.path.rstrip("/") == LIVE:
            return JSONResponse({"status": "alive"})
        if cause := ENDING if self._is_ending else await self._store_trouble():
            return JSONResponse({"status": "not ready", "cause": cause}, 503)
        if (await self._services()).status.is_degraded:
            return JSONResponse({"status": "ready", "degraded": NO_VECTORS})
        return JSONResponse({"status": "ready"})

    async def _store_trouble(self) -> str | None:
        """Return why the store cannot be used, waiting `LOOK_S` at most; all probes wait for the same look."""
        if self._look is None or (self._look.done() and time.monotonic() - self._looked_at > SHARED_S):
            self._look = asyncio.create_task(self._looked())
        await asyncio.wait([self._look], timeout=LOOK_S)
        return self._look.result() if self._look.done() else SILENT

    async def _looked(self) -> str | None:
        """Ask the store for its latest change. What is wrong is logged, because the answer must not name it."""
        try:
            services = await self._services()
            await services.watching.generation()
            if not self._is_warm:  # the first call would wait for imports and for the connection to what fronts share
                await services.shared.rates.hit(READY, "read", 1)
                self._is_warm = True
        except MemoryMcpError as error:
            log.warning("not ready", cause=str(error))
            return SILENT
        finally:
            self._looked_at = time.monotonic()
        return None
