"""Who wants to hear of writes, by this process or another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Event
from memory_mcp.domain.ports import Changes
from memory_mcp.logger import Logger

EVERY_S: Final = 0.2
"""Seconds between two looks at the store's generation; one costs about 0.1 ms."""
EVENTS_AT_ONCE: Final = 1_000

Listener = Callable[[Sequence[Event]], None]

log = Logger(__name__)


class Watching:
    """Looks at the change log for as long as anybody listens, and not at all else."""

    def __init__(self, store: Changes) -> None:
        self._store = store
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    async def generation(self) -> int:
        """Return a number that grows with every write, by whatever process.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self._store.generation()

    @contextlib.asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Tell the listener of all writes after this moment, in order, until the context ends; it must not raise.

        Raises:
            StoreError: the store cannot be read.
        """
        seen = await self._store.generation()
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._watch(seen))
        try:
            yield
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._task.cancel()
                self._task = None

    async def _watch(self, seen: int) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                seen = await self._look(seen)
            except StoreError as error:
                log.warning("the change log cannot be read", cause=str(error))

    async def _look(self, seen: int) -> int:
        """Tell of what was written after `seen`, and return how far that goes."""
        while await self._store.generation() > seen:
            events = await self._store.events(seen, EVENTS_AT_ONCE)
            seen = events[-1].seq
            for listener in tuple(self._listeners):
                listener(events)
        return seen
