"""Waits for the server's word that something was written: a wake-up only, beside which its callers poll.

Through a pooler in transaction mode no notification arrives; then only the poll tells, and nothing else changes.
"""

from __future__ import annotations

import asyncio
import contextlib

import psycopg

from memory_mcp.storage.postgres.db.changes import CHANNEL
from memory_mcp.storage.postgres.db.session import CONNECT_S, PgRow


class Announcements:
    """One connection that listens, made at the first wait and again after it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listening: psycopg.AsyncConnection[PgRow] | None = None

    async def wait(self, seconds: float) -> None:
        """Return when something may have been written, or after these seconds."""
        try:
            listening = self._listening or await self._listen()
            async for _ in listening.notifies(timeout=seconds, stop_after=1):
                pass
        except (psycopg.Error, OSError):
            self._drop()
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:  # what it has read by halves is of no use
            self._drop()
            raise

    async def _listen(self) -> psycopg.AsyncConnection[PgRow]:
        self._listening = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_S
        )
        await self._listening.execute(f"LISTEN {CHANNEL}")
        return self._listening

    def _drop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.pgconn.finish()

    async def close(self) -> None:
        """Stop listening."""
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await listening.close()
