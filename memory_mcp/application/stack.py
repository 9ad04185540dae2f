"""What every request passes, outermost first; the order is fixed here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory_mcp.application.authorize import Authorize
from memory_mcp.application.cache import ResponseCache
from memory_mcp.application.dispatcher import AnswerTool, Dispatcher, GetServices, RunTool, do
from memory_mcp.application.observe import Meter, Observe, Observer, to_log, to_meter
from memory_mcp.application.request import Handler
from memory_mcp.settings import Settings

if TYPE_CHECKING:
    from memory_mcp.application.latencies import Latencies
    from memory_mcp.tools.services import Services  # all parts of the program, not before the handshake


def make_dispatcher(
    settings: Settings,
    services: GetServices,
    *,
    rate_limited: bool,
    is_audited: bool = False,
    meter: Meter | None = None,
    latencies: Latencies | None = None,
) -> Dispatcher:
    """Return a server's dispatcher, with the middleware that the settings want.

    trace → errors → observe → audit → authorize → rate limit → cache (tool results only) → the work

    Args:
        settings: decide which middleware is used.
        services: builds the services on first use.
        rate_limited: the default if the settings leave it open.
        is_audited: whether the audit is written, if it is on.
        meter: counts calls and cache lookups, if given.
        latencies: hears how long calls take, if given.
    """
    from memory_mcp.application.errors import Errors  # noqa: PLC0415 - OpenTelemetry with it, which no command needs

    handler: Handler = do
    if rate_limited if settings.rate_limit_enabled is None else settings.rate_limit_enabled:
        from memory_mcp.application.rate_limit import RateLimit  # noqa: PLC0415 - not imported if it is off

        handler = RateLimit(handler, settings, services)
    handler = Authorize(handler)
    if is_audited:
        from memory_mcp.application.audit import Audit  # noqa: PLC0415 - over HTTP alone

        handler = Audit(handler, services)
    if observers := _observers(settings, meter, latencies):
        handler = Observe(handler, observers)
    answer_tool: AnswerTool = RunTool(services)
    if settings.response_cache_enabled:
        answer_tool = ResponseCache(answer_tool, services, meter.looked_up if meter else None)
    handler = Errors(handler)
    if settings.otel_endpoint:
        from memory_mcp.application.trace import Trace  # noqa: PLC0415 - not imported if it is off

        handler = Trace(handler, settings.otel_endpoint)
    return Dispatcher(handler, answer_tool, latencies)


def make_local_dispatcher(services: Services) -> Dispatcher:
    """Return the dispatcher of one command of the local user.

    authorize → the work

    It has no error net: the command line's own shows what nobody expected. One request needs no limit and no cache.
    """

    async def get() -> Services:
        return services

    return Dispatcher(Authorize(do), RunTool(get))


def _observers(settings: Settings, meter: Meter | None, latencies: Latencies | None) -> list[Observer]:
    observers: list[Observer] = [to_meter(meter)] if meter else []
    observers += [latencies] if latencies else []
    return [*observers, to_log(settings)] if settings.log_level == "debug" else observers
