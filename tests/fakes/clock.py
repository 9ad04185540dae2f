"""A clock that goes when it is told to, and sleep that takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class FakeClock:
    """Seconds, from 0."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Sleeper:
    """Sleeps no time at all, and keeps how long it was asked to; the clock goes on all the same."""

    def __init__(self, clock: FakeClock, naps: int = 1_000) -> None:
        self._clock = clock
        self._left = naps
        self.naps: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Let the time pass, and end the loop after the last nap."""
        self.naps.append(seconds)
        self._clock.advance(seconds)
        self._left -= 1
        if not self._left:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def until(happened: Callable[[], object]) -> None:
    """Let others run until something has happened."""
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0)
