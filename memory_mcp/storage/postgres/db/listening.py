"""Waits for the server's word that something was written: a wake-up only, beside which its callers poll.

Through a pooler in transaction mode no notification arrives; then only the poll tells, and nothing else changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import psycopg

from memory_mcp.storage.postgres.db.changes import CHANNEL
from memory_mcp.storage.postgres.db.connecting import parameters
from memory_mcp.storage.postgres.db.session import PgRow

Listening = psycopg.AsyncConnection[PgRow]
LONGEST_PAUSE_S: Final = 60.0
"""Between two attempts to reach the server."""


class Announcements:
    """One connection that listens, made at the first wait and again after it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listening: Listening | None = None
        self._reaching: asyncio.Task[Listening | None] | None = None
        self._pause_s = 0.0
        self._next = 0.0

    async def wait(self, seconds: float) -> None:
        """Return when something may have been written, or after these seconds."""
        until = time.monotonic() + seconds
        if self._listening is None:
            await self._reach(seconds)
            if self._listening is not None:
                return  # what was written until now was not heard
        elif await self._heard(self._listening, seconds):
            return
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _heard(self, listening: Listening, seconds: float) -> bool:
        """Return whether the server answered, or the time is over; what cannot listen any more is dropped."""
        try:
            async for _ in listening.notifies(timeout=seconds, stop_after=1):
                pass
        except (psycopg.Error, OSError):
            self._drop()
            return False
        except asyncio.CancelledError:  # what it has read by halves is of no use
            self._drop()
            raise
        return True

    async def _reach(self, seconds: float) -> None:
        """Wait for a connection, which is made beside the polls however long that takes."""
        if self._reaching is None:
            if time.monotonic() < self._next:
                return
            self._reaching = asyncio.create_task(self._listen())
        done, _ = await asyncio.wait({self._reaching}, timeout=seconds)
        if not done:
            return
        self._listening, self._reaching = self._reaching.result(), None
        self._pause_s = 0.0 if self._listening else min(LONGEST_PAUSE_S, 2 * self._pause_s + 1)
        self._next = time.monotonic() + self._pause_s

    async def _listen(self) -> Listening | None:
        try:
            listening = await Listening.connect(parameters(self._url), autocommit=True, prepare_threshold=None)
            await listening.execute(f"LISTEN {CHANNEL}")
        except (psycopg.Error, OSError):
            return None
        return listening

    def _drop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.pgconn.finish()

    async def close(self) -> None:
        """Stop listening."""
        reaching, self._reaching = self._reaching, None
        if reaching is not None:
            reaching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self._listening = await reaching
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await listening.close()
