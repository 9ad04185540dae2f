"""The response cache: the same call gets the same answer until something is written.

This process keeps its own; what it lacks may be on the server that the fronts share.
"""

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

    from memory_mcp.application.shared_answers import SharedAnswers
    from memory_mcp.tools.services import Services  # imports the whole program, so not before the handshake

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
        services = await self._services()
        generation = await services.watching.generation()
        # The key is everything that an answer depends on.
        key = (call.principal, call.tool.name, call.parsed.model_dump_json(), call.is_bounded, generation)
        kept = self._kept.get(key)
        if kept is not None:
            self._looked_up(True)  # noqa: FBT003 - a callback of one argument
            return cast("ResultT", kept[0])  # the key contains the tool, and so determines the type
        result = await self._shared_or_made(call, services, generation)
        size = len(to_json(result.rendered))
        if result.is_whole and size <= MAX_BYTES:
            self._kept[key] = result, size
        return result

    async def _shared_or_made(
        self, call: ToolCall[ArgumentsT, ResultT], services: Services, generation: int
    ) -> ResultT:
        """Return what another front has shared, or the tool's answer, and share it."""
        shared = _shared(services)
        state = await services.watching.state(generation) if shared else None
        known = await shared.get(call, state) if shared and state else None
        self._looked_up(known is not None)
        if known is not None:
            return known
        result = await self._proceed(call)
        if shared and state and result.is_whole:
            shared.put(call, state, result)
        return result


def _shared(services: Services) -> SharedAnswers | None:
    if services.shared.cache is None:
        return None
    from memory_mcp.application.shared_answers import SharedAnswers  # noqa: PLC0415 - where a server is configured

    return SharedAnswers(services.shared.cache)
