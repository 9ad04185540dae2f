"""The vectors of the memories: what has one, what waits for one, and in which space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memory_mcp.domain.models import Chunk, MissingVectors, PendingChunk, Space


class EmbeddingIndex(Protocol):
    """Keeps the vectors of chunks, by the space that they are of; one space is the store's, which searches use."""

    async def pending(self, limit: int) -> list[PendingChunk]:
        """Return the oldest chunks that wait for a vector."""
        ...

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        """Give queued chunks their vectors; each chunk id is replaced by the chunks that became of it."""
        ...

    async def retry_failed(self, made_by: str | None) -> int:
        """Queue the chunks of the store's space again that were refused a vector; return how many.

        Args:
            made_by: chunks whose error ends with this in brackets stay refused: what computes now refused them.
                None is nothing, so that all are queued.
        """
        ...

    async def other_spaces(self) -> list[Space]:
        """Return the spaces that hold vectors but are not the store's."""
        ...

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        """Return the first live memories after this key that have no chunk in the space, in order of their keys."""
        ...

    async def count_missing_vectors(self, space: Space) -> int:
        """Count the live memories that have no chunk in the space."""
        ...

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        """Give memories their chunks in a space that need not be the store's; each has a vector or an error.

        What was deleted, rewritten or filled meanwhile is passed over.
        """
        ...

    async def activate_space(self, space: Space) -> bool:
        """Make the space the store's, at once for everyone, if no live memory lacks vectors in it; say whether it is.

        The old space stays as it is, but for what waited for vectors in it.
        """
        ...

    async def drop_space(self, space: Space) -> None:
        """Remove the vectors of a space.

        Raises:
            ConflictError: it is the store's.
        """
        ...
