"""What every request passes on its way to a handler, outermost first; the order is fixed here and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from mcp_types import CallToolRequestParams as Called
from pydantic import BaseModel

from memory_mcp.server.mcp.chain.asked import Asked, Context
from memory_mcp.server.mcp.chain.cache import ResponseCache
from memory_mcp.server.mcp.chain.caller import Callers, Identify
from memory_mcp.server.mcp.chain.net import catch
from memory_mcp.server.mcp.chain.told import Told, to_log, to_metrics
from memory_mcp.server.mcp.session import LazyServices
from memory_mcp.settings import Settings
from memory_mcp.tools.base import AnyTool

if TYPE_CHECKING:
    from memory_mcp.metrics import Metrics

P = TypeVar("P")
R = TypeVar("R", bound=BaseModel)
Proceed = Callable[[], Awaitable[BaseModel]]
Part = Callable[[Asked, Proceed], Awaitable[BaseModel]]


class Chain:
    """Puts its parts around handlers."""

    def __init__(self, parts: Sequence[Part], tools: Sequence[AnyTool]) -> None:
        self._parts = tuple(parts)
        self._tools = {tool.name: tool for tool in tools}

    def around(self, handler: Callable[[Context, P], Awaitable[R]]) -> Callable[[Context, P], Awaitable[R]]:
        """Return the handler with all parts before it."""

        async def handle(ctx: Context, params: P) -> R:
            asked = Asked.of(ctx, params, self._tools)
            return cast("R", await self._pass(asked, partial(handler, ctx, params)))

        return handle

    def around_calls(self, handler: Callable[[Asked], Awaitable[R]]) -> Callable[[Context, Called], Awaitable[R]]:
        """Return the handler of tools' calls with all parts before it, whose view of the call it shares."""

        async def handle(ctx: Context, params: Called) -> R:
            asked = Asked.of(ctx, params, self._tools)
            return cast("R", await self._pass(asked, partial(handler, asked)))

        return handle

    async def _pass(self, asked: Asked, proceed: Proceed) -> BaseModel:
        for part in reversed(self._parts):
            proceed = partial(part, asked, proceed)
        return await proceed()


def make_chain(
    settings: Settings,
    services: LazyServices,
    tools: Sequence[AnyTool],
    identify: Identify,
    *,
    rate_limited: bool,
    metrics: Metrics | None = None,
) -> Chain:
    """Return the chain that the settings want; `rate_limited` is what holds where they leave it open."""
    listeners = [to_metrics(metrics)] if metrics else []
    if settings.log_level == "debug":
        listeners.append(to_log(settings))
    parts: list[Part] = [catch, *([Told(listeners)] if listeners else []), Callers(identify)]
    if rate_limited if settings.rate_limit_enabled is None else settings.rate_limit_enabled:
        from memory_mcp.server.mcp.chain.rate import RateLimit  # noqa: PLC0415 - nothing of it where it is off

        parts.append(RateLimit(settings))
    if settings.response_cache_enabled:
        parts.append(ResponseCache(services, metrics.looked_up if metrics else None))
    return Chain(parts, tools)
