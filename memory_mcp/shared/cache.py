"""Cached bytes on a Redis or Valkey server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from memory_mcp.domain.ports.shared import MAX_SHARED_BYTES
from memory_mcp.shared.server import AwayError, RedisServer

PREFIX: Final = b"memory-mcp:answer:"
KEPT_S: Final = 600
"""The server forgets an answer then, if it does not need the room before."""
WAITING: Final = 64
"""Answers on their way; what would exceed it is not put there."""


class RedisCache:
    """See `domain.ports.SharedCache`."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._putting: set[asyncio.Task[None]] = set()

    async def get(self, key: bytes) -> bytes | None:
        try:
            held = await self._server.ask(lambda client: client.get(PREFIX + key))
        except AwayError:
            return None
        # The key stands before the value: nobody gets what was put under another one, whatever happened on the way.
        return held[len(key) :] if isinstance(held, bytes) and held.startswith(key) else None

    def put(self, key: bytes, value: bytes) -> None:
        if len(value) <= MAX_SHARED_BYTES and len(self._putting) < WAITING:
            task = asyncio.create_task(self._put(key, value))
            self._putting.add(task)
            task.add_done_callback(self._putting.discard)

    async def _put(self, key: bytes, value: bytes) -> None:
        with contextlib.suppress(AwayError):
            await self._server.ask(lambda client: client.set(PREFIX + key, key + value, ex=KEPT_S))
