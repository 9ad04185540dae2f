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
"""Texts in one batch, at most."""
BATCH_CHARS: Final = 16_000
"""Characters in one batch after which no text is added: about 50 chunks, or one call of the embedder, of short texts.
Each batch waits for those before it, within its own budget."""

AHEAD: Final = 4
"""Batches embedded while one is written: the daemon packs better batches from several calls."""


def is_full(batch: Sequence[str]) -> bool:
    """Return whether a batch is to be embedded as it is."""
    return len(batch) >= BATCH or sum(map(len, batch)) >= BATCH_CHARS


async def embed_ahead(
    indexer: Indexer,
    space: Callable[[], Awaitable[Space | None]],
    batches: AsyncIterator[Sequence[str]],
    *,
    gives_up: bool = True,
) -> AsyncGenerator[list[Embedded], None]:
    """Yield the chunks of batch after batch; meanwhile the next ones are being embedded.

    Args:
        indexer: makes the chunks.
        space: asks for the store's space.
        batches: of contents; asked for the next one as soon as that may be embedded.
        gives_up: somebody waits: the first batch is embedded alone, and after one that cannot be embedded the others
            are only cut, for the queue. Otherwise each is tried.
    """
    failure: EmbedderError | None = None

    async def embed(batch: Sequence[str]) -> tuple[list[Embedded], EmbedderError | None]:
        if failure is not None and gives_up:
            return await indexer.cut(batch), failure
        return await indexer.embed(batch, lane=Lane.BULK, space=await space())

    coming = deque[asyncio.Task[tuple[list[Embedded], EmbedderError | None]]]()

    async def start_more(following: Sequence[str] | None, most: int) -> Sequence[str] | None:
        """Return the first batch that must wait."""
        while following is not None and len(coming) < most:
            coming.append(asyncio.create_task(embed(following)))
            following = await anext(batches, None)
        return following

    try:
        following = await start_more(await anext(batches, None), 1 if gives_up else AHEAD)
        while coming:
            embedded, failed = await coming[0]
            coming.popleft()
            failure = failure or failed
            following = await start_more(following, AHEAD)
            yield embedded
    finally:
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
