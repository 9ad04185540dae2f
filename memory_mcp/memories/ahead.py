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
"""Characters in one batch after which no text is added: so many are about 50 chunks, which is one call of the embedder.
Each batch waits for those before it, within its own budget."""

AHEAD: Final = 4
"""Batches embedded while one is written: the daemon packs better batches from several calls."""


def is_full(batch: Sequence[str]) -> bool:
    """Return whether a batch is to be embedded as it is."""
    return len(batch) >= BATCH or sum(map(len, batch)) >= BATCH_CHARS


async def embed_ahead(
    indexer: Indexer, space: Callable[[], Awaitable[Space | None]], batches: AsyncIterator[Sequence[str]]
) -> AsyncGenerator[list[Embedded], None]:
    """Yield the chunks of batch after batch; meanwhile the next ones are being embedded.

    After the first batch that cannot be embedded, the others are only cut, for the queue.

    Args:
        indexer: makes the chunks.
        space: asks for the store's space.
        batches: of contents; asked for the next one as soon as that may be embedded.
    """
    failure: EmbedderError | None = None

    async def embed(batch: Sequence[str]) -> tuple[list[Embedded], EmbedderError | None]:
        if failure is not None:
            return await indexer.cut(batch), failure
        return await indexer.embed(batch, lane=Lane.BULK, space=await space())

    coming = deque[asyncio.Task[tuple[list[Embedded], EmbedderError | None]]]()
    try:
        if (first := await anext(batches, None)) is not None:
            coming.append(asyncio.create_task(embed(first)))
        following = await anext(batches, None)
        while coming:
            embedded, failed = await coming[0]
            coming.popleft()
            failure = failure or failed
            while following is not None and len(coming) < AHEAD:
                coming.append(asyncio.create_task(embed(following)))
                following = await anext(batches, None)
            yield embedded
    finally:
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
