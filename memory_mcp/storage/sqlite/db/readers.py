"""A pool of readers: one as long as that is enough, more for concurrent searches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from heapq import heappop, heappush
from typing import Protocol, TypeVar

import apsw

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]


class Reader(Protocol):
    """A thread with its own connection."""

    @property
    def allows_others(self) -> bool:
        """Whether another reading connection may be opened besides its own."""
        ...

    def submit(self, work: Work[T]) -> Future[T]:
        """Run the work after earlier submissions."""
        ...

    def end_waiting(self) -> None:
        """Abort work that waits for a lock."""
        ...

    async def close(self) -> None:
        """Close the connection after the submitted work, and end the thread."""
        ...


class Readers:
    """Passes work to the idle reader with the longest service, whose caches are warm.

    A reader costs memory, so another one starts only if all of them are busy with searches; short work waits its turn.
    """

    def __init__(self, make: Callable[[], Reader], most: int) -> None:
        self._make = make
        self._most = most
        self._readers: list[Reader] = []
        self._idle: list[int] = []
        """The numbers of idle readers, as a heap."""
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._searches = 0
        """Number of searches running or waiting."""
        self._is_closed = False

    async def run(self, work: Work[T], *, is_search: bool) -> T:
        """Run the work on one of the connections."""
        if is_search:
            self._grow_if_busy()
        self._searches += is_search
        try:
            number = await self._take()
        except BaseException:
            self._searches -= is_search
            raise
        doing = self._readers[number].submit(work)
        try:
            return await asyncio.wrap_future(doing)
        finally:
            _after(doing, partial(self._end, number, is_search=is_search))

    def _grow_if_busy(self) -> None:
        count = len(self._readers)
        if 0 < count <= self._searches and count < self._most and all(one.allows_others for one in self._readers):
            self._grow()

    def _grow(self) -> None:
        self._readers.append(self._make())
        self._give_back(len(self._readers) - 1)

    async def _take(self) -> int:
        """Return the number of an idle reader; waits for one, first come, first served."""
        if self._is_closed:
            raise RuntimeError("the store is closed")
        if not self._readers:
            self._grow()
        return heappop(self._idle) if self._idle else await self._next()

    async def _next(self) -> int:
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():  # a reader became idle at the same moment
                self._give_back(waiting.result())
            raise

    def _end(self, number: int, *, is_search: bool) -> None:
        self._searches -= is_search
        self._give_back(number)

    def _give_back(self, number: int) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(number)
                return
        heappush(self._idle, number)

    async def close(self) -> None:
        """Close all readers after the waiting work; aborts work that waits for a lock."""
        if self._is_closed:
            return
        self._is_closed = True
        for reader in self._readers:
            reader.end_waiting()
        for _ in self._readers:
            number = heappop(self._idle) if self._idle else await self._next()
            await self._readers[number].close()


def _after(doing: Future[T], then: Callable[[], None]) -> None:
    """Call this in the event loop when the work ends, even if its caller has left."""
    if doing.done():
        then()
        return
    loop = asyncio.get_running_loop()

    def ended(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed, and all callers with it
            loop.call_soon_threadsafe(then)

    doing.add_done_callback(ended)
