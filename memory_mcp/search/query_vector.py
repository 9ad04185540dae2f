"""The vector of a query, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Lane, Space, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.search.phrasing import between


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query's vector and its space."""

    row: bytes
    space: Space


@dataclass(frozen=True, slots=True)
class NoVector:
    """Why a search does without vectors."""

    cause: str

    @property
    def sentence(self) -> str:
        """Say it to the caller."""
        return f"found by keywords only: {self.cause}"


class QueryEmbedder:
    """Asks the embedder for the vectors of queries."""

    def __init__(self, embedder: Embedder, budget_s: float) -> None:
        self._embedder = embedder
        self._budget_s = budget_s

    async def embed(self, phrasings: Sequence[str], space: Space | None) -> QueryVector | NoVector:
        """Return the vector between these phrasings in the space, or why there is none."""
        try:
            embedding = await self._embedder.embed(
                phrasings,
                task=Task.QUERY,
                lane=Lane.INTERACTIVE,
                budget_s=self._budget_s,
                expected_space=space.id if space else None,
            )
        except EmbedderError as error:
            return NoVector(error.with_fix())
        rows = [item.vector for item in embedding.items if item.vector is not None]
        if not rows:
            return NoVector(f"the query got no vector ({embedding.items[0].error})")
        return QueryVector(between(rows), embedding.space)
