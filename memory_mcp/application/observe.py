"""Reports each finished request to the metrics and, at debug level, to the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from memory_mcp.application.request import Handler, Request, T
from memory_mcp.domain.errors import Code, MemoryMcpError
from memory_mcp.settings import Settings

OK: Final = "ok"
CANCELLED: Final = "cancelled"

Observer = Callable[[Request[Any], str, float], None]
"""Gets a request, its outcome ("ok", "cancelled" or an error code) and its seconds; must not raise."""


class Meter(Protocol):
    """Counts tool calls and cache lookups."""

    def called(self, tool: str, outcome: str, seconds: float) -> None: ...

    def looked_up(self, hit: bool) -> None:  # noqa: FBT001 - a callback of one argument
        ...


class Observe:
    """Calls its observers after each request, in order."""

    def __init__(self, proceed: Handler, observers: Sequence[Observer]) -> None:
        self._proceed = proceed
        self._observers = tuple(observers)

    async def __call__(self, request: Request[T]) -> T:
        begun, outcome = time.perf_counter(), OK
        try:
            return await self._proceed(request)
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            seconds = time.perf_counter() - begun
            for observer in self._observers:
                observer(request, outcome, seconds)


def outcome_of(error: BaseException) -> str:
    """Return one of a few words for how a request failed."""
    if isinstance(error, MemoryMcpError):
        return error.code
    return CANCELLED if isinstance(error, asyncio.CancelledError) else Code.INTERNAL


def to_meter(meter: Meter) -> Observer:
    """Return an observer that counts calls of tools."""

    def count(request: Request[Any], outcome: str, seconds: float) -> None:
        if request.tool is not None:
            meter.called(request.tool.name, outcome, seconds)

    return count


def to_log(settings: Settings) -> Observer:
    """Return an observer that writes a debug line."""
    import structlog  # noqa: PLC0415 - before the handshake only at debug level

    from memory_common.log_lines import CONTENT  # noqa: PLC0415 - likewise
    from memory_mcp import logs  # noqa: PLC0415 - likewise

    logs.configure(settings)
    log = structlog.get_logger(__name__)

    def write(request: Request[Any], outcome: str, seconds: float) -> None:
        ms = round(1000 * seconds, 2)
        log.debug("answered", what=request.name, outcome=outcome, ms=ms, **{CONTENT: request.arguments})

    return write
