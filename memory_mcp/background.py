"""Keeps the front's background loops running: restarts a loop after an unexpected exception, and health shows it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from memory_mcp.domain.checks import Inquiry, View
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry
from memory_mcp.logger import Logger

FIRST_DELAY_S: Final = 1.0
"""Seconds before the first restart; the delay doubles with each further failure in a row."""
MAX_DELAY_S: Final = 60.0
STEADY_S: Final = 60.0
"""Seconds that a loop must run before its earlier failures are forgotten."""
KEEPS_FAILING: Final = 3
"""Failures in a row from which on health shows them."""
STORE_BACK: Final = "none needed once the store can be read: they start again by themselves"
RESTART: Final = "restart the client; if it keeps failing, report the bug with the log"

log = Logger(__name__)


async def rest(wake: asyncio.Event, seconds: float) -> None:
    """Wait until a loop is woken, or for a while."""
    with contextlib.suppress(TimeoutError):  # time to look again
        await asyncio.wait_for(wake.wait(), seconds)


class Background:
    """One loop that runs until it is cancelled."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._failures = 0
        self._cause = ""
        self._started_at: float | None = None
        """When the loop last started; None while it is not running."""

    @property
    def trouble(self) -> str:
        """Return the error that the loop keeps failing with; empty while it works."""
        if self._failures < KEEPS_FAILING or self._is_steady():
            return ""
        return f"{self._name} keeps failing ({self._cause})"

    @property
    def waits_for_store(self) -> bool:
        """Whether the last failure was that the store could not be read or written."""
        return self._cause == StoreError.__name__

    async def run(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run the loop until cancelled; when it raises, log that and start it again after a delay."""
        try:
            while True:
                self._started_at = self._clock()
                try:
                    await loop()
                except Exception as error:
                    delay_s = self._failed(error)
                    log.exception(f"{self._name} failed and will restart", delay_s=delay_s)
                    await self._sleep(delay_s)
        finally:
            self._failures = 0

    def _failed(self, error: Exception) -> float:
        """Count a failure and return the seconds until the restart."""
        self._failures = 1 if self._is_steady() else self._failures + 1
        self._cause = type(error).__name__  # its message may quote stored text
        self._started_at = None
        return float(min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(self._failures - 1, 10)))

    def _is_steady(self) -> bool:
        return self._started_at is not None and self._clock() - self._started_at >= STEADY_S


def register(registry: Registry, loops: Sequence[Background]) -> None:
    """Register the check of all loops."""

    async def look(inquiry: Inquiry) -> Finding:
        del inquiry
        if failing := [loop for loop in loops if loop.trouble]:
            fix = STORE_BACK if all(loop.waits_for_store for loop in failing) else RESTART
            return Finding(Condition.DEGRADED, "failing", "; ".join(loop.trouble for loop in failing), fix)
        return Finding(Condition.OK, "well", detail="all of it runs")

    registry.add("background", look, view=View.LIVE)
