"""Finding memories: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Filters, Lane, Space, Task
from memory_mcp.domain.ports import Embedder, Snapshot, Snapshots
from memory_mcp.search import fusion, naming, results, weighing
from memory_mcp.search.candidates import NO_WORDS, Evidence, Meaning, Vector, Words
from memory_mcp.search.fusion import Ranked
from memory_mcp.search.intent import Intent, Route, possible_tags, route
from memory_mcp.search.phrasing import between, phrasings
from memory_mcp.search.results import Hit, NearMisses

Mode = Literal["auto", "semantic", "keyword", "hybrid"]
Done = Literal["semantic", "keyword", "hybrid"]
_KEYWORD: Final[Done] = "keyword"

CANDIDATES_PER_RESULT: Final = 5
"""How many candidates of each kind are joined for each result that is asked for."""
MIN_CANDIDATES: Final = 50
MAX_CANDIDATES: Final = 4_096
"""Where near duplicates or quotes thin out the candidates, more are asked for, up to this many."""
LIKELY: Final = 10
"""How many memories, the best by their words, are read for the names that the query has."""
TURNS_TO_SEND: Final = 2
"""Turns of the event loop until a call of the embedder is on its way: gRPC sends from a task of its own."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    text: str
    filters: Filters
    limit: int = 10
    mode: Mode = "auto"
    min_score: float = 0.0
    recency: float = 0.0
    """How much newer memories come before older ones, 0-1; at 0 only among equal ones."""
    collapse: bool = False
    """Whether a near duplicate of a hit is only counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found, and what it did without."""

    hits: tuple[Hit, ...]
    mode: Done
    intent: Intent
    degraded: str | None
    pending: int
    weak: bool
    """Whether nothing fits well."""
    near_misses: NearMisses | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a search does without vectors."""

    cause: str

    @property
    def sentence(self) -> str:
        """Say it to the caller."""
        return f"found by keywords only: {self.cause}"


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates, best first."""

    ranked: list[Ranked]
    mode: Done
    degraded: str | None
    is_all: bool
    """Whether asking for more candidates would find no more."""
    fit: float
    """How well the best fits, 0-1; see `ranking.fit`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a search knows before it has its vector."""

    way: Route
    words: Words | None
    pending: int


class Retrieval:
    """Searches the store, with vectors when they can be had."""

    def __init__(
        self,
        store: Snapshots,
        embedder: Embedder,
        *,
        budget_s: float,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._budget_s = budget_s

    async def search(self, query: Query) -> Answer:
        """Return the best memories; without vectors they are found by keywords, and the answer says why."""
        if query.mode == "keyword":
            return await self._store.read(lambda it: self._answer(it, query, _look(it, query), None))
        texts, space = await self._store.read(lambda it: (_phrasings(it, query), it.space()))
        vector, seen = await asyncio.gather(self._embed(texts, space), self._look_meanwhile(query))
        return await self._store.read(lambda it: self._answer(it, query, seen, vector))

    async def _look_meanwhile(self, query: Query) -> Seen:
        """Look for the words as soon as the query is on its way to the embedder; before, it would hold that up."""
        for _ in range(TURNS_TO_SEND):
            await asyncio.sleep(0)
        return await self._store.read(lambda it: _look(it, query))

    def _answer(self, it: Snapshot, query: Query, seen: Seen, vector: Vector | Problem | None) -> Answer:
        found, hits = self._enough(it, query, seen.way, vector, seen.words)
        tagged = [] if query.filters.tags else self._tagged(it, query, seen.way, vector)
        shown = {hit.memory.key for hit in tagged}
        hits = [*tagged, *(hit for hit in hits if hit.memory.key not in shown)][: query.limit]
        missed = None if hits else results.near_misses(found.ranked, query.min_score, query.limit)
        weak = not hits or not (tagged or _fits(it, query.text, seen.way, found))
        return Answer(tuple(hits), found.mode, seen.way.intent, found.degraded, seen.pending, weak, missed)

    def _tagged(self, it: Snapshot, query: Query, way: Route, vector: Vector | Problem | None) -> list[Hit]:
        """Return what carries the tags that the query names; they are half of what was asked for, the words the other.

        These come before the rest.
        """
        if not way.tags:
            return []
        filters = replace(query.filters, tags=way.tags, tag_match="all")
        narrow = replace(query, filters=filters, min_score=0.0)
        _, tagged = self._enough(it, narrow, way, vector, _words(it, narrow, _candidates(narrow)))
        page = it.page(filters, limit=query.limit, cursor=None)  # also what no word or vector finds
        found = {hit.memory.key for hit in tagged}
        tagged += [Hit(memory, Ranked(memory.key, 0.0)) for memory in page.memories if memory.key not in found]
        lifted = [replace(hit, ranked=hit.ranked._replace(score=(1 + hit.ranked.score) / 2)) for hit in tagged]
        return [hit for hit in lifted if hit.ranked.score >= query.min_score]

    def _enough(
        self, it: Snapshot, query: Query, way: Route, vector: Vector | Problem | None, words: Words | None
    ) -> tuple[Found, list[Hit]]:
        """Return the candidates and the hits among them, of more and more candidates until the hits are enough."""
        candidates = _candidates(query)
        while True:
            found = _find(it, query, way, vector, words, candidates)
            strong = [hit for hit in found.ranked if hit.score >= query.min_score]
            hits = self._select(it, query, way, strong)
            full = len(hits) >= query.limit or found.is_all or len(strong) < len(found.ranked)
            if full or candidates >= MAX_CANDIDATES or not (query.collapse or way.quoted):
                return found, hits
            candidates = min(MAX_CANDIDATES, 4 * candidates)
            words = _words(it, query, candidates)

    def _select(self, it: Snapshot, query: Query, way: Route, ranked: Sequence[Ranked]) -> list[Hit]:
        thinned = query.collapse or bool(way.quoted)
        likely = list(ranked) if thinned else results.worth_loading(ranked, query.limit, query.recency)
        memories = it.fetch([hit.key for hit in likely])
        loaded = [Hit(memories[hit.key], hit) for hit in likely if hit.key in memories]
        fitting = [hit for hit in loaded if not way.quoted or results.holds_all(hit.memory, way.quoted)]
        ordered = results.in_order(fitting, query.recency)
        return results.collapsed(ordered, query.limit) if query.collapse else ordered[: query.limit]

    async def _embed(self, texts: Sequence[str], space: Space | None) -> Vector | Problem:
        """Return the vector between these texts in the space, or why there is none."""
        try:
            embedding = await self._embedder.embed(
                texts,
                task=Task.QUERY,
                lane=Lane.INTERACTIVE,
                budget_s=self._budget_s,
                expected_space=space.id if space else None,
            )
        except EmbedderError as error:
            return Problem(error.with_fix())
        rows = [item.vector for item in embedding.items if item.vector is not None]
        if not rows:
            return Problem(f"the query got no vector ({embedding.items[0].error})")
        return Vector(between(rows), embedding.space)


def _phrasings(it: Snapshot, query: Query) -> list[str]:
    return phrasings(query.text, it.document_frequencies(query.text, query.filters.namespace))


def _look(it: Snapshot, query: Query) -> Seen:
    """Find out what can be known without the query's vector."""
    asked = possible_tags(query.text)
    known = it.tags_among(asked, query.filters.namespace) if asked else frozenset[str]()
    seen = route(query.text, known)
    way = seen if query.mode == "auto" else replace(seen, quoted=(), tags=seen.tags if query.mode == "keyword" else ())
    words = _words(it, query, _candidates(query))
    return Seen(way, words, it.queue(query.filters.namespace).pending)


def _words(it: Snapshot, query: Query, candidates: int) -> Words | None:
    """Score the words, unless meaning alone is asked for."""
    if query.mode == "semantic":
        return None
    return Evidence(it, query.filters, candidates).words(query.text)


def _find(
    it: Snapshot, query: Query, way: Route, vector: Vector | Problem | None, words: Words | None, candidates: int
) -> Found:
    evidence = Evidence(it, query.filters, candidates)
    if isinstance(vector, Vector):
        try:
            meaning = evidence.meaning(vector, words or NO_WORDS)
            return _ranked(query, way, meaning, words or NO_WORDS)
        except SpaceMismatchError as error:  # another front gave the store its space meanwhile
            vector = Problem(error.with_fix())
    words = words or evidence.words(query.text)
    degraded = vector.sentence if vector else None
    return Found(fusion.by_keywords(words.scores), _KEYWORD, degraded, words.is_all, fusion.fit(words.scores.values()))


def _fits(it: Snapshot, text: str, way: Route, found: Found) -> bool:
    """Say whether anything fits well; a name fits by its spelling alone."""
    if not way.names:
        return found.fit >= fusion.FITS_FROM
    likely = sorted(found.ranked, key=lambda hit: hit.keyword or 0.0, reverse=True)[:LIKELY]
    memories = it.fetch([hit.key for hit in likely])
    whole = [text]  # of which the names may be a part: LH 454
    return any(naming.spells(memory.content, way.names, whole) for memory in memories.values())


def _candidates(query: Query) -> int:
    return max(MIN_CANDIDATES, CANDIDATES_PER_RESULT * query.limit)


def _ranked(query: Query, way: Route, meaning: Meaning, words: Words) -> Found:
    cosines = [match.score for match in meaning.scores.values()]
    if query.mode == "semantic":
        return Found(fusion.by_vectors(meaning.scores), "semantic", None, meaning.is_all, fusion.fit(cosines))
    ranked = fusion.fuse(meaning.scores, words.scores, _weight(query, way, meaning))
    fit = fusion.fit(cosines, words.scores.values())
    if way.intent == "identifier":  # what is quoted fits by its spelling alone
        fit = max(fit, fusion.fit(words.scores.values()))
    return Found(ranked, "hybrid", None, meaning.is_all and words.is_all, fit)


def _weight(query: Query, way: Route, meaning: Meaning) -> float:
    if query.mode == "hybrid":
        return weighing.EVEN
    return weighing.IDENTIFIER if way.intent == "identifier" else weighing.weight_of(meaning.prominence)
