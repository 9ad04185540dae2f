"""What is told of each request when it has ended: to the metrics, and in the debug lines of the log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from memory_mcp.server.mcp import errors
from memory_mcp.server.mcp.chain.asked import Asked
from memory_mcp.settings import Settings

if TYPE_CHECKING:
    from memory_mcp.metrics import Metrics

OK: Final = "ok"

Listener = Callable[[Asked, str, float], None]
"""Hears what was asked, how it ended ("ok" or a code), and how many seconds it took; must not raise."""


class Told:
    """Tells its listeners."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners

    async def __call__(self, asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
        """Go on, and tell how it ended."""
        begun, outcome = time.perf_counter(), OK
        try:
            return await proceed()
        except BaseException as error:
            outcome = errors.outcome(error)
            raise
        finally:
            seconds = time.perf_counter() - begun
            for listener in self._listeners:
                listener(asked, outcome, seconds)


def to_metrics(metrics: Metrics) -> Listener:
    """Return what counts the calls of tools."""

    def count(asked: Asked, outcome: str, seconds: float) -> None:
        if asked.tool is not None:
            metrics.called(asked.tool.name, outcome, seconds)

    return count


def to_log(settings: Settings) -> Listener:
    """Return what writes a debug line."""
    import structlog  # noqa: PLC0415 - not on the way to the handshake, unless somebody looks for bugs

    from memory_common.log_lines import CONTENT  # noqa: PLC0415 - likewise
    from memory_mcp import logs  # noqa: PLC0415 - likewise

    logs.configure(settings)
    log = structlog.get_logger(__name__)

    def write(asked: Asked, outcome: str, seconds: float) -> None:
        what = asked.tool.name if asked.tool else asked.ctx.method
        log.debug("answered", what=what, outcome=outcome, ms=round(1000 * seconds, 2), **{CONTENT: asked.arguments})

    return write
