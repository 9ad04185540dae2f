"""Rate limits: so many reads, writes and bulk writes for each caller in any minute."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import BaseModel

from memory_mcp.domain.errors import RateLimitedError
from memory_mcp.server.mcp.chain.asked import Asked, Kind
from memory_mcp.server.mcp.chain.caller import caller
from memory_mcp.settings import Settings


class RateLimit:
    """Counts what each caller asks for, in this process's memory."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items = {
            "read": RateLimitItemPerMinute(settings.rate_limit_read),
            "write": RateLimitItemPerMinute(settings.rate_limit_write),
            "bulk": RateLimitItemPerMinute(settings.rate_limit_bulk),
        }

    async def __call__(self, asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
        """Go on unless the caller has used up the minute.

        Raises:
            RateLimitedError: says when to come back.
        """
        if asked.kind is not None:
            await self._count(asked.kind)
        return await proceed()

    async def _count(self, kind: Kind) -> None:
        item, key = self._items[kind], caller().id
        if not await self._limiter.hit(item, kind, key):
            reset, _ = await self._limiter.get_window_stats(item, kind, key)
            wait = max(1, math.ceil(reset - time.time()))
            raise RateLimitedError(f"at most {item.amount} {kind} requests a minute are answered", wait)
