"""Makes a span of each request, under the client's where it named one, for the collector of the settings."""

from __future__ import annotations

from typing import Final

from embedder_api import __version__

from memory_common import tracing
from memory_mcp.application.request import Handler, Request, T
from memory_mcp.logger import Logger

SERVICE: Final = "memory-mcp"
INSTALL: Final = "install memory-mcp[otel]"

log = Logger(__name__)


class Trace:
    """Begins to trace at the first request, as OpenTelemetry's SDK takes 0.3 s to import."""

    def __init__(self, proceed: Handler, endpoint: str) -> None:
        self._proceed = proceed
        self._endpoint = endpoint
        self._has_begun = False

    async def __call__(self, request: Request[T]) -> T:
        if not self._has_begun:
            self._begin()
        with tracing.root(request.name, kind=request.kind or "other"):
            return await self._proceed(request)

    def _begin(self) -> None:
        self._has_begun = True
        try:
            tracing.begin(self._endpoint, SERVICE, __version__)
        except ImportError as error:
            log.warning(f"MCP_MEMORY_OTEL_ENDPOINT: {error.name} is missing, so there are no traces; {INSTALL}")
        except ValueError as error:
            log.warning(f"MCP_MEMORY_OTEL_ENDPOINT: there are no traces; {error}")
