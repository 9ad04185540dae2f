"""Rate limits: reads, writes and bulk writes of each principal in any minute."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from memory_mcp.application.request import Handler, Request, RequestKind, T
from memory_mcp.domain.errors import RateLimitedError
from memory_mcp.settings import Settings


class RateLimit:
    """Counts each principal's requests in this process's memory."""

    def __init__(self, proceed: Handler, settings: Settings) -> None:
        self._proceed = proceed
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items = {
            "read": RateLimitItemPerMinute(settings.rate_limit_read),
            "write": RateLimitItemPerMinute(settings.rate_limit_write),
            "bulk": RateLimitItemPerMinute(settings.rate_limit_bulk),
        }

    async def __call__(self, request: Request[T]) -> T:
        """Answer a request unless its principal has used up the minute.

        Raises:
            RateLimitedError: says when to try again.
        """
        if request.kind is not None:
            await self._count(request.kind, request.principal.id)
        return await self._proceed(request)

    async def _count(self, kind: RequestKind, principal: str) -> None:
        item = self._items[kind]
        if not await self._limiter.hit(item, kind, principal):
            reset, _ = await self._limiter.get_window_stats(item, kind, principal)
            wait = max(1, math.ceil(reset - time.time()))
            raise RateLimitedError(f"the limit is {item.amount} {kind} requests a minute", wait)
