"""Finding memories: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Embedding, Filters, Lane, Match, Memory, Task
from memory_mcp.domain.ports import Embedder, Store
from memory_mcp.services import ranking
from memory_mcp.services.ranking import Ranked

Mode = Literal["auto", "semantic", "keyword", "hybrid"]

CANDIDATES_PER_RESULT: Final = 10
"""How many candidates of each kind are joined for each result that is asked for."""
MIN_CANDIDATES: Final = 100


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    text: str
    filters: Filters
    limit: int = 10
    mode: Mode = "auto"
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found, and how."""

    memory: Memory
    ranked: Ranked

    @property
    def passage(self) -> str | None:
        """The best passage's text, where the memory has more than one."""
        span = self.ranked.passage
        return None if span is None else self.memory.content[slice(*span)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found, and what it did without."""

    hits: tuple[Hit, ...]
    mode: Literal["semantic", "keyword", "hybrid"]
    intent: str
    degraded: str | None
    pending: int


class Retrieval:
    """Searches the store, with vectors when they can be had."""

    def __init__(self, store: Store, embedder: Embedder, *, budget_s: float, weight: float = 0.5) -> None:
        self._store = store
        self._embedder = embedder
        self._budget_s = budget_s
        self._weight = weight

    async def search(self, query: Query) -> Answer:
        """Return the best memories; without vectors they are found by keywords, and the answer says why."""
        candidates = max(MIN_CANDIDATES, CANDIDATES_PER_RESULT * query.limit)
        wants_vectors = query.mode != "keyword"
        wants_words = query.mode != "semantic"
        (semantic, problem), words, queue = await asyncio.gather(
            self._nearest(query, candidates) if wants_vectors else _nothing(),
            self._store.matching(query.text, query.filters, candidates) if wants_words else _no_matches(),
            self._store.queue(query.filters.namespace),
        )
        if problem and not wants_words:
            words = await self._store.matching(query.text, query.filters, candidates)
        ranked, mode = self._rank(query, semantic, words, degraded=problem is not None)
        hits = await self._load([hit for hit in ranked if hit.score >= query.min_score][: query.limit])
        return Answer(hits, mode, _intent(query), problem, queue.pending)

    async def _nearest(self, query: Query, candidates: int) -> tuple[Sequence[Match], str | None]:
        try:
            embedding = await self._embed(query.text)
            vector = embedding.items[0].vector
            if vector is None:
                return (), f"the query got no vector: {embedding.items[0].error}"
            return await self._store.nearest(vector, embedding.space, query.filters, candidates), None
        except EmbedderError as error:
            return (), f"found by keywords only: {error}"

    async def _embed(self, text: str) -> Embedding:
        space = await self._store.space()
        return await self._embedder.embed(
            [text],
            task=Task.QUERY,
            lane=Lane.INTERACTIVE,
            budget_s=self._budget_s,
            expected_space=space.id if space else None,
        )

    def _rank(
        self, query: Query, semantic: Sequence[Match], words: Sequence[Match], *, degraded: bool
    ) -> tuple[list[Ranked], Literal["semantic", "keyword", "hybrid"]]:
        if query.mode == "keyword" or degraded:
            return ranking.by_keywords(words), "keyword"
        if query.mode == "semantic":
            return ranking.by_vectors(semantic), "semantic"
        return ranking.fuse(semantic, words, self._weight), "hybrid"

    async def _load(self, ranked: Sequence[Ranked]) -> tuple[Hit, ...]:
        memories = await self._store.fetch([hit.key for hit in ranked])
        return tuple(Hit(memories[hit.key], hit) for hit in ranked if hit.key in memories)


async def _nothing() -> tuple[Sequence[Match], str | None]:
    return (), None


async def _no_matches() -> list[Match]:
    return []


def _intent(query: Query) -> str:
    """Name what the query looks like; every kind is weighted alike so far."""
    words = query.text.split()
    if query.text.rstrip().endswith(("?", "？")):
        return "question"
    if len(words) == 1 and not words[0].isalpha():
        return "identifier"
    return "topic"
