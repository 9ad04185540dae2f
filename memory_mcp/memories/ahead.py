"""Embeds batch after batch, the next ones while one is written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Embedded, Lane, Space
from memory_mcp.memories.indexing import Indexer

BATCH: Final = 64
"""Texts in one batch."""

AHEAD: Final = 4
"""Batches embedded while one is written: the daemon packs better batches from several calls."""
AHEAD_OF_LONG: Final = 2
LONG: Final = 64_000
"""Total characters above which fewer batches run ahead: each waits for those before it, within its own budget."""


async def embed_ahead(
    indexer: Indexer,
    space: Callable[[], Awaitable[Space | None]],
    batches: AsyncIterator[Sequence[str]],
    *,
    gives_up: bool = True,
) -> AsyncGenerator[list[Embedded], None]:
    """Yield the chunks of batch after batch; meanwhile the next ones are being embedded.

    What cannot be embedded is only cut, for the queue.

    Args:
        indexer: makes the chunks.
        space: asks for the store's space.
        batches: of contents; asked for the next one as soon as that may be embedded.
        gives_up: cut all batches after the first that cannot be embedded, because somebody waits, so the first one
            is embedded alone; else each is tried.
    """
    failure: EmbedderError | None = None

    async def embed(batch: Sequence[str]) -> tuple[list[Embedded], EmbedderError | None]:
        if failure is not None and gives_up:
            return await indexer.cut(batch), failure
        return await indexer.embed(batch, lane=Lane.BULK, space=await space())

    coming = deque[tuple[int, asyncio.Task[tuple[list[Embedded], EmbedderError | None]]]]()

    def start(batch: Sequence[str]) -> None:
        coming.append((sum(map(len, batch)), asyncio.create_task(embed(batch))))

    async def start_more(following: Sequence[str] | None, most: int) -> Sequence[str] | None:
        """Return the first batch that must wait."""
        while following is not None and _may_follow([size for size, _ in coming], sum(map(len, following)), most):
            start(following)
            following = await anext(batches, None)
        return following

    try:
        following = await start_more(await anext(batches, None), 1 if gives_up else AHEAD)
        while coming:
            embedded, failed = await coming[0][1]
            coming.popleft()
            failure = failure or failed
            following = await start_more(following, AHEAD)
            yield embedded
    finally:
        for _, task in coming:
            task.cancel()
        await asyncio.gather(*(task for _, task in coming), return_exceptions=True)


def _may_follow(waiting: Sequence[int], following: int, most: int) -> bool:
    """Return whether a batch of so many characters may be sent behind the waiting ones."""
    return len(waiting) < (most if sum(waiting) + following < LONG else min(most, AHEAD_OF_LONG))
