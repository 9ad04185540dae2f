"""Tells listeners of writes by this process or another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from memory_mcp.background import Background
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Event, MissedChanges
from memory_mcp.domain.ports import AnnouncesChanges, Changes
from memory_mcp.logger import Logger

EVERY_S: Final = 0.2
"""Seconds between polls of the store's generation; a poll costs about 0.1 ms."""
ANNOUNCED_EVERY_S: Final = 1.0
"""Likewise where the store announces writes, in case it misses one."""
EVENTS_AT_ONCE: Final = 1_000

Listener = Callable[[Sequence[Event] | MissedChanges], None]
"""Gets the next writes in order, or MissedChanges: then everything it knows may be out of date."""

log = Logger(__name__)


class Watching:
    """Polls the change log as long as there is a listener."""

    def __init__(
        self,
        store: Changes,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._listeners: set[Listener] = set()
        self._seen = 0
        """The generation up to which listeners were notified."""
        self._task: asyncio.Task[None] | None = None
        self.background = self.loop("watching the change log")

    def loop(self, name: str) -> Background:
        """Return a background task for a listener's own loop."""
        return Background(name, clock=self._clock, sleep=self._sleep)

    async def generation(self) -> int:
        """Return a number that grows with every write by any process.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self._store.generation()

    async def state(self, generation: int) -> Event | None:
        """Return the write that made this generation; None before the first, or if it is not logged any more.

        Raises:
            StoreError: the store cannot be read.
        """
        events = await self._store.events(generation - 1, 1) if generation else []
        return None if isinstance(events, MissedChanges) or not events else events[0]

    @contextlib.asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Pass all writes from now on to the listener, in order, until the context ends; it must not raise.

        After an unexpected error the listener may get some writes twice.

        Raises:
            StoreError: the store cannot be read.
        """
        now = await self._store.generation()
        self._listeners.add(listener)
        if self._task is None:
            self._seen = now
            self._task = asyncio.create_task(self.background.run(self._watch))
        try:
            yield
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        while True:
            await self._pause()
            try:
                await self._look()
            except StoreError as error:
                log.warning("the change log cannot be read", cause=str(error))

    async def _pause(self) -> None:
        if isinstance(self._store, AnnouncesChanges):
            await self._store.changed(ANNOUNCED_EVERY_S)
        else:
            await self._sleep(EVERY_S)

    async def _look(self) -> None:
        """Pass new writes to the listeners."""
        while await self._store.generation() > self._seen:
            events = await self._store.events(self._seen, EVENTS_AT_ONCE)
            for listener in tuple(self._listeners):
                listener(events)
            self._seen = events.generation if isinstance(events, MissedChanges) else events[-1].seq
