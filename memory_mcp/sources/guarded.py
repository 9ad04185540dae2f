"""A source behind its cache, rate limit, breaker, deadline and retries: whatever it does costs its own part only."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, replace
from typing import Final

from cachetools import TTLCache
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceFigures, SourceQuery, SourceStatus
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy, BreakerState, Permit
from memory_mcp.health.checkup import in_thread
from memory_mcp.logger import Logger
from memory_mcp.sources.adapter import FaultError, SourceAdapter
from memory_mcp.sources.items import bounded, size_of
from memory_mcp.sources.sections import SourceSection

POLICY: Final = BreakerPolicy(window=10, min_calls=3, error_rate=0.5, slow_rate=1.0, open_s=30.0)
ATTEMPTS: Final = 3
"""Of one question that is safe to repeat."""
LATE_S: Final = 0.2
"""Seconds after which a question that is given up counts as failed, if the source has not answered lately."""
SLOWER: Final = 2.0
"""How much longer than its slowest recent answer it may take; before, its caller is hasty."""
RECENT: Final = 8
"""Answers."""
MAX_CACHED_BYTES: Final = 4 << 20
_REPORT: Final = "run `memory-mcp sources test {name}`, and report the bug"

log = Logger(__name__)


class GuardedSource:
    """See `domain.ports.ContextSource`."""

    def __init__(
        self,
        name: str,
        section: SourceSection,
        make: Callable[[], SourceAdapter],
        policy: BreakerPolicy = POLICY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.section = section
        self._make = make
        self._making = threading.Lock()
        self._adapter: SourceAdapter | None = None
        self._clock = clock
        self._breaker = Breaker(policy, clock)
        self._fix = ""
        self._asked_to_wait_until = -math.inf
        self._limit = RateLimitItemPerMinute(section.calls_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._kept: TTLCache[Hashable, SourceAnswer] | None = (
            TTLCache(MAX_CACHED_BYTES, section.cache_s, timer=clock, getsizeof=size_of) if section.cache_s else None
        )
        self._flights: dict[Hashable, _Flight] = {}
        self._took_s: deque[float] = deque(maxlen=RECENT)
        self._failure: tuple[str, str] = "", ""
        """Why its latest question failed, and what fixes that; empty once it answers again."""
        self._outcomes: Counter[str] = Counter()
        self._seconds = 0.0

    @property
    def kind(self) -> str:
        """See the port."""
        return self.section.kind

    @property
    def adapter(self) -> SourceAdapter:
        """The way to ask it, made at the first need: its libraries take a while to import.

        Raises:
            SettingsError: its section is wrong.
        """
        with self._making:
            if self._adapter is None:
                self._adapter = self._make()
            return self._adapter

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Return what the source knows, from the cache where it is fresh.

        Raises:
            SourceError: it has no answer, or was not asked.
        """
        count = min(query.limit, self.section.max_items)
        adapter = self._adapter or await self._made()
        key = (query.text.strip(), count, adapter.version())
        if self._kept is not None and (known := self._kept.get(key)) is not None:
            self._outcomes["cached"] += 1
            return replace(known, is_cached=True)
        return await self._shared(
            key, lambda: self._kept_answer(key, adapter, replace(query, text=key[0], limit=count))
        )

    async def _shared(self, key: Hashable, ask: Callable[[], Coroutine[object, object, SourceAnswer]]) -> SourceAnswer:
        """Ask once for all who ask the same at the same time; the question ends when the last of them gives up."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(ask()))
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()

    def _land(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # seen: nobody may be waiting any more

    async def _kept_answer(self, key: Hashable, adapter: SourceAdapter, query: SourceQuery) -> SourceAnswer:
        answer = await self._admitted(adapter, query)
        if self._kept is not None and size_of(answer) <= MAX_CACHED_BYTES:
            self._kept[key] = answer
        return answer

    def figures(self) -> SourceFigures:
        """Return the source's counters."""
        return SourceFigures(
            self.name, self.kind, self._breaker.state, self._breaker.trips, dict(self._outcomes), self._seconds
        )

    def status(self) -> SourceStatus:
        """Return how it does.

        Raises:
            SettingsError: its section is wrong.
        """
        section, (problem, fix) = self.section, self._failure
        return SourceStatus(
            self.name,
            self.kind,
            self.adapter.target,
            section.scope.value,
            section.namespaces,
            self.figures(),
            self._took_s[-1] if self._took_s else None,
            problem,
            fix,
        )

    @property
    def state(self) -> BreakerState:
        """Of its breaker."""
        return self._breaker.state

    @property
    def trouble(self) -> tuple[str, str]:
        """Why its breaker is not closed, and what fixes that."""
        return self._breaker.cause, self._fix

    async def close(self) -> None:
        """End connections and processes of the source."""
        if self._adapter is not None:
            await self._adapter.close()

    async def _made(self) -> SourceAdapter:
        """Make the adapter in a thread: the loop goes on, and so does the deadline of the caller."""
        try:
            return await in_thread(lambda: self.adapter)
        except SettingsError as error:
            raise SourceError(str(error), "correct its section in config.toml") from error

    async def _admitted(self, adapter: SourceAdapter, query: SourceQuery) -> SourceAnswer:
        self._refuse_if_told_to_wait()
        permit = self._breaker.acquire()
        if permit is None:
            self._outcomes["open"] += 1
            raise SourceError(
                self._breaker.cause, self._fix, retry_after_s=self._breaker.retry_in_s() or None, is_open=True
            )
        begun, state = self._clock(), self._breaker.state
        try:
            await self._count()
            answer = await self._in_time(adapter, query)
        except asyncio.CancelledError:
            self._cancelled(permit, adapter, self._clock() - begun)
            raise
        except SourceError as error:
            self._failed(permit, error)
            raise
        except BaseException:
            self._breaker.abandon(permit)
            raise
        else:
            self._outcomes["ok"] += 1
            self._took_s.append(self._clock() - begun)
            self._failure = "", ""
            self._breaker.succeed(permit)
            return bounded(answer, query.limit, self.section.max_bytes)
        finally:
            self._seconds += self._clock() - begun
            self._tell(state)

    async def _in_time(self, adapter: SourceAdapter, query: SourceQuery) -> SourceAnswer:
        try:
            async with asyncio.timeout(self.section.timeout_ms / 1_000):
                return await self._attempted(adapter, query)
        except TimeoutError as error:
            raise FaultError(
                f"it did not answer within {self.section.timeout_ms:,} ms",
                f"see why {adapter.target} is slow, or raise its timeout_ms",
            ) from error
        except (SourceError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("a source failed unexpectedly", source=self.name)
            raise FaultError(
                f"it failed unexpectedly ({type(error).__name__})", _REPORT.format(name=self.name)
            ) from error

    async def _attempted(self, adapter: SourceAdapter, query: SourceQuery) -> SourceAnswer:
        if not adapter.is_repeatable:
            return await adapter.ask(query)
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential  # noqa: PLC0415 - 30 ms, not before the first question

        return await AsyncRetrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )(self._counted(adapter, query))

    def _counted(self, adapter: SourceAdapter, query: SourceQuery) -> Callable[[], Awaitable[SourceAnswer]]:
        """Return what asks, again only as far as the limit allows: after it, the failure before is the answer."""
        failed: SourceError | None = None

        async def attempt() -> SourceAnswer:
            nonlocal failed
            if failed is not None and not await self._limiter.hit(self._limit, self.name):
                raise failed
            try:
                return await adapter.ask(query)
            except SourceError as error:
                failed = error
                raise

        return attempt

    async def _count(self) -> None:
        if await self._limiter.hit(self._limit, self.name):
            return
        reset, _ = await self._limiter.get_window_stats(self._limit, self.name)
        raise _LimitedError(
            f"its limit of {self._limit.amount} questions a minute is used up",
            "wait, or raise its calls_per_minute",
            retry_after_s=max(1.0, math.ceil(reset - time.time())),
        )

    def _refuse_if_told_to_wait(self) -> None:
        left = self._asked_to_wait_until - self._clock()
        if left > 0:
            self._outcomes["limited"] += 1
            raise SourceError("it asked us to wait", "wait, or ask it less often", retry_after_s=round(left, 1))

    def _cancelled(self, permit: Permit, adapter: SourceAdapter, seconds: float) -> None:
        self._outcomes["late"] += 1
        too_slow = f"it did not answer within {1_000 * seconds:.0f} ms"
        if seconds < max(LATE_S, SLOWER * max(self._took_s, default=0.0)):
            self._breaker.abandon(permit)
            return
        self._fix = f"see why {adapter.target} is slow, or allow more time"
        self._failure = too_slow, self._fix
        self._breaker.fail(permit, too_slow)

    def _failed(self, permit: Permit, error: SourceError) -> None:
        if isinstance(error, _LimitedError):
            self._outcomes["limited"] += 1
            self._breaker.abandon(permit)
            return
        self._outcomes["failed"] += 1
        self._failure = str(error), error.fix
        if isinstance(error, FaultError) and error.is_of_query:
            self._breaker.abandon(permit)
            return
        self._fix = error.fix
        if error.retry_after_s:
            self._asked_to_wait_until = self._clock() + error.retry_after_s
        self._breaker.fail(permit, str(error))

    def _tell(self, before: BreakerState) -> None:
        if before is BreakerState.CLOSED and self._breaker.state is not before:
            log.warning("a source's breaker opened", source=self.name, cause=self._breaker.cause, fix=self._fix)
        elif before is not BreakerState.CLOSED and self._breaker.state is BreakerState.CLOSED:
            log.info("a source's breaker closed", source=self.name)


@dataclass
class _Flight:
    """A question on its way, and how many wait for it."""

    task: asyncio.Task[SourceAnswer]
    waiting: int = 0


class _LimitedError(SourceError):
    """Our own limit: the source was not asked."""


def _passes(error: BaseException) -> bool:
    return isinstance(error, FaultError) and error.is_passing and error.retry_after_s is None
