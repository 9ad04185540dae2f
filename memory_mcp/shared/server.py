"""A Redis or Valkey server behind a breaker: calls ask it only while it answers at once, and never wait for its return.

The first failure opens the breaker. From then on a task of its own tries the server once a second, as long as there are
calls; so does the first connection. Meanwhile nobody is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.urls import place_of
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy, BreakerState, Permit
from memory_mcp.logger import Logger

if TYPE_CHECKING:
    from redis.asyncio import Redis  # 60 ms, in a thread of its own

T = TypeVar("T")
WAIT_S: Final = 0.05
"""Longest wait of a call for one answer."""
CONNECT_S: Final = 0.8
"""Longest wait of the task that tries the server; nobody waits for it but a check."""
POLICY: Final = BreakerPolicy(window=1, min_calls=1, error_rate=1.0, slow_rate=1.0, open_s=1.0)
CONNECTIONS: Final = 32
PROBE: Final = "return redis.call('set', KEYS[1], ARGV[1], 'EX', 60)"
"""Uses all that we need: a script that writes."""
INSTALL: Final = "install what speaks to it: pip install 'memory-mcp[redis]'"

log = Logger(__name__)


class AwayError(Exception):
    """The server does not answer; do without."""


class RedisServer:
    """One server. It is connected by the first call that wants it, which does not wait."""

    def __init__(self, url: str, wait_s: float = WAIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._wait_s = wait_s
        self._place = place_of(url)
        self._breaker = Breaker(POLICY, clock)
        self._fix = ""
        self._client: Redis | None = None
        self._is_known = False
        """Whether it has ever answered."""
        self._trying: asyncio.Task[None] | None = None

    @property
    def client(self) -> Redis:
        """The connections.

        Raises:
            AwayError: there are none yet.
        """
        if self._client is None:
            raise AwayError
        return self._client

    async def ask(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what the server answers within `wait_s`.

        Raises:
            AwayError: it does not, or did not lately.
        """
        permit = self._breaker.acquire() if self._is_known and self._breaker.state is BreakerState.CLOSED else None
        if permit is None:
            self._try_again()
            raise AwayError
        return await self._judged(permit, self._wait_s, lambda: work(self.client))

    def _try_again(self) -> None:
        if self._trying is None and self._breaker.state is not BreakerState.OPEN:
            self._trying = asyncio.create_task(self._try())

    async def _try(self) -> None:
        try:
            with contextlib.suppress(ImportError):  # however long it takes is not the server's fault
                await asyncio.to_thread(importlib.import_module, "redis.asyncio")
            if (permit := self._breaker.acquire()) is not None:
                await self._judged(permit, CONNECT_S, self._connected)
        except AwayError:
            return  # the breaker has recorded the cause
        finally:
            self._trying = None

    async def _connected(self) -> None:
        """Write something, through a connection that is there already: it must answer as fast as for a call."""
        if self._client is None:
            self._client = _make(self._url, self._wait_s)
        await self._client.ping()
        async with asyncio.timeout(self._wait_s):
            await self._client.eval(PROBE, 1, "memory-mcp:probe", "1")
        self._is_known = True

    async def _judged(self, permit: Permit, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        state = self._breaker.state
        try:
            async with asyncio.timeout(seconds):
                answer = await work()
        except asyncio.CancelledError:
            self._breaker.abandon(permit)
            raise
        except Exception as error:
            self._fail(permit, error)
            raise AwayError from error
        self._breaker.succeed(permit)
        if state is not BreakerState.CLOSED:
            log.info("limits and answers are shared again")
        return answer

    def _fail(self, permit: Permit, error: Exception) -> None:
        state, trips = self._breaker.state, self._breaker.trips
        cause, fix = _told(error, self._place)
        self._breaker.fail(permit, cause)
        if self._breaker.trips == trips:
            return  # another call has said so
        self._fix = fix
        if state is BreakerState.CLOSED:
            log.warning("this front shares no limits and answers", cause=cause, fix=fix)

    async def look(self) -> Finding:
        """Ask the server, and wait for the answer even where calls would not."""
        with contextlib.suppress(AwayError):
            await self.ask(lambda client: client.ping())
        if self._trying is not None:
            await asyncio.wait({self._trying})
        if self._is_known and self._breaker.state is BreakerState.CLOSED:
            return Finding(Condition.OK, "shared", detail=f"limits and cached answers are shared through {self._place}")
        cause = f"this front limits and caches for itself: {self._breaker.cause}"
        return Finding(Condition.DEGRADED, "local", cause, self._fix)

    async def close(self) -> None:
        """Close the connections."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait({self._trying})
        if self._client is not None:
            with contextlib.suppress(OSError):
                await self._client.aclose()


def _make(url: str, wait_s: float) -> Redis:
    """Return a client that never repeats a command by itself."""
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - where a server is configured
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - likewise
    from redis.backoff import NoBackoff  # noqa: PLC0415 - likewise

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=wait_s,
        socket_connect_timeout=CONNECT_S,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,
        protocol=2,
    )
    return Redis.from_pool(pool)


_SAID: Final = {
    "AuthenticationError": ("refuses the user or password", "correct MCP_MEMORY_REDIS_URL"),
    "AuthorizationError": ("refuses the user or password", "correct MCP_MEMORY_REDIS_URL"),
    "NoPermissionError": ("does not let this user write", "allow it the keys `memory-mcp:*`, or name another user"),
    "OutOfMemoryError": ("is full", "set its `maxmemory-policy` to `allkeys-lru`, or give it more memory"),
    "ReadOnlyError": ("is a replica, which only reads", "name the primary in MCP_MEMORY_REDIS_URL"),
    "BusyLoadingError": ("is still loading its data", "none needed: it is tried again"),
    "SSLError": (
        "is not trusted by TLS",
        "name its authority in MCP_MEMORY_REDIS_URL: rediss://…?ssl_ca_certs=/path/ca.pem",
    ),
    "TimeoutError": ("does not answer in time", "look at its load and at the network between"),
    "ModuleNotFoundError": ("cannot be asked: the package redis is missing", INSTALL),
}
"""By the name of the exception: its own message may quote what must not be shown."""
_UNREACHABLE: Final = ("cannot be reached", "start it, or correct MCP_MEMORY_REDIS_URL")
_REFUSED: Final = ("refuses what it is asked ({name})", "see its log")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: Exception, place: str) -> tuple[str, str]:
    """Return what an exception means, and what fixes it."""
    names = [kind.__name__ for each in _causes(error) for kind in type(each).__mro__]
    usual = _UNREACHABLE if "ConnectionError" in names or isinstance(error, OSError) else _REFUSED
    what, fix = next((_SAID[name] for name in names if name in _SAID), usual)
    return f"the server at {place} {what.format(name=names[0])}", fix
