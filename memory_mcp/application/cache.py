"""The response cache: the same call gets the same answer until something is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from pydantic_core import to_json

from memory_mcp.application.dispatcher import AnswerTool, GetServices
from memory_mcp.application.request import ToolCall
from memory_mcp.tools.base import ArgumentsT, Result, ResultT

if TYPE_CHECKING:
    from cachetools import LRUCache  # imported with the first cached answer, not before the handshake

MAX_BYTES: Final = 500_000
"""Total size of the cached answers as JSON: about a hundred answers, which take four times that in memory."""


class ResponseCache:
    """Caches the latest answers of read-only tools."""

    def __init__(self, proceed: AnswerTool, services: GetServices, looked_up: Callable[[bool], None] | None) -> None:
        """`looked_up` is called after every lookup: True for a hit."""
        self._proceed = proceed
        self._services = services
        self._looked_up = looked_up or (lambda _: None)

    @cached_property
    def _kept(self) -> LRUCache[Hashable, tuple[Result, int]]:
        from cachetools import LRUCache  # noqa: PLC0415 - not before the handshake

        return LRUCache(MAX_BYTES, getsizeof=lambda kept: kept[1])

    async def __call__(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the cached answer, or get one and cache it.

        Raises:
            InvalidArgumentError: an argument is unknown or breaks a bound.
        """
        if not (call.tool.cached and call.parsed.is_timeless):
            return await self._proceed(call)
        key = await self._key(call)
        kept = self._kept.get(key)
        self._looked_up(kept is not None)
        if kept is not None:
            return cast("ResultT", kept[0])  # the key contains the tool, and so determines the type
        result = await self._proceed(call)
        size = len(to_json(result.rendered))
        if result.is_whole and size <= MAX_BYTES:
            self._kept[key] = result, size
        return result

    async def _key(self, call: ToolCall[ArgumentsT, ResultT]) -> Hashable:
        """Return everything that an answer depends on."""
        generation = await (await self._services()).watching.generation()
        return call.principal, call.tool.name, call.parsed.model_dump_json(), call.is_bounded, generation
