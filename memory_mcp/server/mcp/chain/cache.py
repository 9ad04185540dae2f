"""The response cache: the same question gets the same answer until something is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import mcp_types as types
from pydantic import BaseModel

from memory_mcp.server.mcp.chain.asked import Asked
from memory_mcp.server.mcp.chain.caller import caller
from memory_mcp.server.mcp.session import LazyServices

if TYPE_CHECKING:
    from cachetools import LRUCache

MAX_BYTES: Final = 500_000
"""Of all answers that are kept, as JSON: about a hundred, which take three times that in memory."""


class ResponseCache:
    """Keeps the latest answers of tools that read."""

    def __init__(self, services: LazyServices, looked_up: Callable[[bool], None] | None = None) -> None:
        """`looked_up` hears of every look whether an answer was there."""
        self._services = services
        self._looked_up = looked_up or (lambda _: None)

    @cached_property
    def _kept(self) -> LRUCache[Hashable, tuple[types.CallToolResult, int]]:
        from cachetools import LRUCache  # noqa: PLC0415 - not before the handshake

        return LRUCache(MAX_BYTES, getsizeof=lambda kept: kept[1])

    async def __call__(self, asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
        """Return the answer that is kept, or get one and keep it.

        Raises:
            InvalidArgumentError: an argument is unknown or breaks a bound.
        """
        key = await self._key(asked)
        if key is None:
            return await proceed()
        self._looked_up(key in self._kept)
        if key in self._kept:
            return self._kept[key][0]
        result = cast("types.CallToolResult", await proceed())
        size = len(result.model_dump_json())
        if _is_whole(result) and size <= MAX_BYTES:
            self._kept[key] = result, size
        return result

    async def _key(self, asked: Asked) -> Hashable | None:
        """Return all that an answer depends on; None where that is more than can be named."""
        if asked.tool is None or not asked.tool.cached:
            return None
        if not asked.parsed.is_timeless:
            return None
        generation = await (await self._services.get()).watching.generation()
        return caller(), asked.ctx.protocol_version, asked.tool.name, asked.parsed.model_dump_json(), generation


def _is_whole(result: types.CallToolResult) -> bool:
    return not result.is_error and not (result.structured_content or {}).get("degraded")
