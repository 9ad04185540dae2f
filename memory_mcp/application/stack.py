"""The middleware of a server, outermost first; the order is fixed only here."""

from __future__ import annotations

from memory_mcp.application.authorize import Authorize
from memory_mcp.application.cache import ResponseCache
from memory_mcp.application.dispatcher import AnswerTool, Dispatcher, GetServices, RunTool, do
from memory_mcp.application.errors import Errors
from memory_mcp.application.observe import Meter, Observe, Observer, to_log, to_meter
from memory_mcp.application.request import Handler
from memory_mcp.settings import Settings


def make_dispatcher(
    settings: Settings, services: GetServices, *, rate_limited: bool, meter: Meter | None = None
) -> Dispatcher:
    """Return a dispatcher with the middleware that the settings enable.

    errors → observe → authorize → rate limit → cache (tool results only) → the work

    Args:
        settings: decide which middleware is used.
        services: builds the services on first use.
        rate_limited: the default if the settings leave it open.
        meter: counts calls and cache lookups, if given.
    """
    handler: Handler = do
    if rate_limited if settings.rate_limit_enabled is None else settings.rate_limit_enabled:
        from memory_mcp.application.rate_limit import RateLimit  # noqa: PLC0415 - not imported if it is off

        handler = RateLimit(handler, settings)
    handler = Authorize(handler)
    if observers := _observers(settings, meter):
        handler = Observe(handler, observers)
    answer_tool: AnswerTool = RunTool(services)
    if settings.response_cache_enabled:
        answer_tool = ResponseCache(answer_tool, services, meter.looked_up if meter else None)
    return Dispatcher(Errors(handler), answer_tool)


def _observers(settings: Settings, meter: Meter | None) -> list[Observer]:
    observers = [to_meter(meter)] if meter else []
    return [*observers, to_log(settings)] if settings.log_level == "debug" else observers
