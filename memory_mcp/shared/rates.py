"""Rates of calls: counted for this front alone, or for all that share a server."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from memory_mcp.domain.principal import LOCAL
from memory_mcp.shared.server import AwayError, RedisServer

if TYPE_CHECKING:
    from limits.aio.storage import MemoryStorage
    from limits.aio.storage.redis import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter  # imported with the first limited call

PREFIX: Final = "memory-mcp:rate"


def _in_memory() -> MemoryStorage:
    from limits.aio.storage import MemoryStorage  # noqa: PLC0415 - with the first limited call

    return MemoryStorage()


class LocalRates:
    """See `domain.ports.RateCounter`; counts in this process's memory."""

    def __init__(self, make_storage: Callable[[], MemoryStorage | RedisStorage] = _in_memory) -> None:
        self._make_storage = make_storage

    @cached_property
    def _windows(self) -> MovingWindowRateLimiter:
        from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415 - with the first limited call

        return MovingWindowRateLimiter(self._make_storage())

    async def hit(self, caller: str, kind: str, per_minute: int) -> int:
        from limits import RateLimitItemPerMinute  # noqa: PLC0415 - with the first limited call

        item = RateLimitItemPerMinute(per_minute)
        if await self._windows.hit(item, kind, caller):
            return 0
        reset, _ = await self._windows.get_window_stats(item, kind, caller)
        return max(1, math.ceil(reset - time.time()))


class RedisRates:
    """See `domain.ports.RateCounter`; counts for all fronts, and for this one alone while the server is away."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._shared = LocalRates(self._storage)
        self._local = LocalRates()

    def _storage(self) -> RedisStorage:
        from limits.aio.storage.redis import RedisStorage  # noqa: PLC0415 - where a server is configured

        # The pool connects; `limits` is told nothing that could appear in an error.
        pool = self._server.client.connection_pool
        return RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=pool,  # type: ignore[arg-type]  # documented beside the options that it allows
        )

    async def hit(self, caller: str, kind: str, per_minute: int) -> int:
        if caller == LOCAL:
            return await self._local.hit(caller, kind, per_minute)
        about = sha256(caller.encode()).hexdigest()  # an id may be somebody's address
        try:
            return await self._server.ask(lambda _: self._shared.hit(about, kind, per_minute))
        except AwayError:
            return await self._local.hit(caller, kind, per_minute)
