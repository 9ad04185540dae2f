"""The vectors of the memories: which exist, which are pending, and in which space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memory_mcp.domain.models import Chunk, MissingVectors, PendingChunk, Space


class EmbeddingIndex(Protocol):
    """Keeps the vectors of chunks by space; searches use the store's active space."""

    async def pending(self, limit: int) -> list[PendingChunk]:
        """Return the oldest pending chunks."""
        ...

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        """Set the vectors of pending chunks; each chunk id is replaced by the chunks that it was split into."""
        ...

    async def retry_failed(self, made_by: str | None) -> int:
        """Queue refused chunks of the active space again; return their number.

        Args:
            made_by: the current engine and versions; chunks whose error ends with this in brackets stay refused.
                None queues all.
        """
        ...

    async def other_spaces(self) -> list[Space]:
        """Return the spaces that hold vectors but are not the store's."""
        ...

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        """Return the first live memories after this key without a chunk in the space, in key order."""
        ...

    async def count_missing_vectors(self, space: Space) -> int:
        """Count the live memories without a chunk in the space."""
        ...

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        """Add the chunks of memories in any space; each chunk has a vector or an error.

        Memories that were deleted, rewritten or filled meanwhile are skipped.
        """
        ...

    async def activate_space(self, space: Space) -> bool:
        """Make the space active for every process, if no live memory lacks vectors in it; return whether it is.

        The old space keeps its vectors, but not its queue.
        """
        ...

    async def drop_space(self, space: Space) -> None:
        """Remove the vectors of a space.

        Raises:
            ConflictError: it is the active space.
        """
        ...
