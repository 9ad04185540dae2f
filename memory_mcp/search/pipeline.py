"""A search from the query to the answer, step by step.

    phrase           the query, and once more without its common words        query_vector
    analyse          what the query wants: a name, tags, a time, an answer    intent, named_times
    score keywords   while the embedder makes the query's vector              candidates
    score meaning    the nearest, what words found, and their neighbours      candidates
    fuse             both scores on one scale, weighed for this query         fusion
    adjust           the time that is named, length, turns that ask           adjusting
    select           quotations, near duplicates, age                         results
    browse           what carries the tags comes first                        steps
    judge            whether anything fits                                    fitting
    explain          what each step contributed, if asked for                 explaining

The first step, the next two, and all others see one snapshot of the store each. Every number that
decides a rank stands in `policy`.

Documents and other memories are two parts: up to "adjust", each takes all steps with the frequencies, the sample and so
the weights of its own. What is selected from is both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from memory_common import tracing
from memory_mcp.domain.keywords import KeywordQuery
from memory_mcp.domain.ports import Embedder, Snapshot, Snapshots
from memory_mcp.search import fitting, results, steps
from memory_mcp.search.candidates import document_frequencies
from memory_mcp.search.explaining import explanation
from memory_mcp.search.intent import Route
from memory_mcp.search.models import KeywordScores, Part, SearchAnswer, SearchQuery
from memory_mcp.search.named_times import NamedTime, named_times
from memory_mcp.search.policy import DEFAULT_POLICY, SearchPolicy
from memory_mcp.search.query_vector import NoVector, QueryEmbedder, QueryVector, phrasings

TURNS_TO_SEND: Final = 2
"""Turns of the event loop until a call of the embedder is on its way: gRPC sends from a task of its own."""


@dataclass(frozen=True, slots=True)
class KeywordPhase:
    """What a search knows before it has its vectors."""

    route: Route
    parts: Mapping[Part, tuple[KeywordQuery, KeywordScores | None]]
    times: tuple[NamedTime, ...]
    """Those that the query names."""
    pending: int


class SearchPipeline:
    """Searches the store, with vectors when they can be had."""

    def __init__(
        self,
        store: Snapshots,
        embedder: Embedder,
        *,
        budget_s: float,
        policy: SearchPolicy = DEFAULT_POLICY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._embedder = QueryEmbedder(embedder, budget_s)
        self._policy = policy
        self._clock = clock

    async def run(self, query: SearchQuery) -> SearchAnswer:
        """Return the best memories; without vectors they are found by keywords, and the answer says why."""
        if query.mode == "keyword":
            with tracing.child("search by keywords"):
                return await self._store.read(lambda it: self._by_keywords(it, query))
        with tracing.child("phrase the query"):
            texts, space = await self._store.read(lambda it: (self._phrasings(it, query), it.space()))
        embedding = self._embedder.embed(texts, space, query.embed_budget_s)
        vectors, phase = await asyncio.gather(embedding, self._keyword_phase_meanwhile(query, list(texts)))
        with tracing.child("score meaning and rank"):
            return await self._store.read(lambda it: self._answer(it, query, phase, vectors))

    def _by_keywords(self, snapshot: Snapshot, query: SearchQuery) -> SearchAnswer:
        phase = self._keyword_phase(snapshot, query, steps.parts_of(snapshot, query.filters))
        return self._answer(snapshot, query, phase, {})

    def _phrasings(self, snapshot: Snapshot, query: SearchQuery) -> dict[Part, list[str]]:
        namespace, policy = query.filters.namespace, self._policy
        counted = {
            part: document_frequencies(steps.view_of(snapshot, part), query.text, namespace, policy.lexical)
            for part in steps.parts_of(snapshot, query.filters)
        }
        return {part: phrasings(query.text, frequencies, policy.phrasing) for part, frequencies in counted.items()}

    async def _keyword_phase_meanwhile(self, query: SearchQuery, parts: Sequence[Part]) -> KeywordPhase:
        """Begin as soon as the query is on its way to the embedder; before, it would hold that up."""
        for _ in range(TURNS_TO_SEND):
            await asyncio.sleep(0)
        with tracing.child("score keywords"):
            return await self._store.read(lambda it: self._keyword_phase(it, query, parts))

    def _keyword_phase(self, snapshot: Snapshot, query: SearchQuery, parts: Sequence[Part]) -> KeywordPhase:
        route = steps.analyse(snapshot, query, self._policy)
        found: dict[Part, tuple[KeywordQuery, KeywordScores | None]] = {}
        for part in parts:
            view = steps.view_of(snapshot, part)
            terms = steps.terms_of(view, query, self._policy)
            found[part] = terms, steps.score_keywords(view, query, terms, self._policy)
        times = named_times(query.text, datetime.fromtimestamp(self._clock(), UTC))
        return KeywordPhase(route, found, times, snapshot.queue(query.filters.namespace).pending)

    def _answer(
        self,
        snapshot: Snapshot,
        query: SearchQuery,
        phase: KeywordPhase,
        vectors: Mapping[Part, QueryVector | NoVector],
    ) -> SearchAnswer:
        snapshot = snapshot.within(query.filters.namespace)  # where words alone were found, this reads by keys alone
        parts = {
            part: steps.SearchedPart(steps.view_of(snapshot, part), terms, vectors.get(part), keywords)
            for part, (terms, keywords) in phase.parts.items()
        }
        search = steps.SearchExecution(snapshot, query, phase.route, parts, phase.times, self._policy)
        found = search.find()
        browsed = search.browse()
        tagged = {hit.memory.key: hit for hit in browsed.selection.hits} if browsed else {}
        hits = [*tagged.values(), *(hit for hit in found.selection.hits if hit.memory.key not in tagged)][: query.limit]
        scores = found.ranking.scores.values()
        fits = fitting.judge(search, found.ranking, len(hits), sum(hit.memory.key in tagged for hit in hits))
        return SearchAnswer(
            hits=tuple(results.placed(snapshot, hits)),
            mode=found.ranking.mode,
            intent=phase.route.intent,
            degraded=found.ranking.degraded,
            pending=phase.pending,
            weak=all(fit.weak for fit in fits.values()),
            near_misses=None if hits else results.near_misses(scores, query.min_score, query.limit),
            explanation=explanation(search, hits, found, browsed, fits) if query.explain else None,
        )
