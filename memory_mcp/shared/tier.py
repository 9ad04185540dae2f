"""What the settings make of the shared tier."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from memory_mcp.domain.checks import View
from memory_mcp.domain.ports import RateCounter, SharedCache
from memory_mcp.health.registry import Registry
from memory_mcp.settings import Settings
from memory_mcp.shared.cache import RedisCache
from memory_mcp.shared.rates import LocalRates, RedisRates
from memory_mcp.shared.server import RedisServer


async def _nothing() -> None:
    """Close nothing."""


@dataclass(frozen=True, slots=True)
class SharedTier:
    """The limits and the cache of a front; without a server, it has its own limits and only its own cache."""

    rates: RateCounter = field(default_factory=LocalRates)
    cache: SharedCache | None = None
    close: Callable[[], Awaitable[None]] = _nothing


def make_tier(settings: Settings, health: Registry) -> SharedTier:
    """Return the tier, with its check; nothing is connected yet."""
    if settings.redis_url is None:
        return SharedTier()
    server = RedisServer(settings.redis_url.get_secret_value())
    health.add("shared", lambda _: server.look(), view=View.LIVE | View.MACHINE)
    return SharedTier(RedisRates(server), RedisCache(server), server.close)
