"""What speaks for each memory: its words, its meaning, and those of its neighbours in the conversation.

All that a search asks of the store's indexes is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from memory_mcp.domain.keywords import KeywordQuery
from memory_mcp.domain.models import BackgroundScores, DocumentFrequencies, Filters, KeywordMatches, Match, Neighbours
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search import fusion
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.models import DenseScores, KeywordScores
from memory_mcp.search.policy import LexicalPolicy, SearchPolicy
from memory_mcp.search.query_vector import QueryVector

NO_SAMPLE: Final = BackgroundScores(0, ())
NO_WORDS: Final = KeywordScores({}, is_all=True, matches=KeywordMatches(0.0, {}, known=1.0, words=0), divisor=1.0)


def document_frequencies(snapshot: Snapshot, text: str, namespace: str, policy: LexicalPolicy) -> DocumentFrequencies:
    """Return how common the words of a query are."""
    content_words = QueryAnalyzer.of(snapshot, namespace, policy).content_words(text)
    return snapshot.document_frequencies(content_words, namespace)


class CandidateScorer:
    """Asks a store about one query, at one moment."""

    def __init__(self, snapshot: Snapshot, filters: Filters, count: int, policy: SearchPolicy) -> None:
        """Take the filters, how many candidates of each kind are wanted, and the policy."""
        self._snapshot = snapshot
        self._filters = filters
        self._count = count
        self._policy = policy

    def keywords(self, query: KeywordQuery) -> KeywordScores:
        """Score what holds words of the query, and its neighbours."""
        limit = max(self._policy.candidates.keyword_matches, self._count)
        found = self._snapshot.keyword_search(query, self._filters, limit)
        around = self._worded_neighbours(list(found.scores))
        scores, divisor = fusion.keyword_scores(found, around, self._policy)
        return KeywordScores(scores, len(found.scores) < limit, found, divisor)

    def dense(self, vector: QueryVector, keywords: KeywordScores) -> DenseScores:
        """Score what is near the query, its neighbours, and what words found.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        nearest = self._snapshot.nearest(vector.row, vector.space, self._filters, self._count)
        found = [match.key for match in nearest]
        worded = list(keywords.scores)[: self._count]  # the others cannot come before these by their words alone
        others = sorted({*worded, *self._beside_best(found)} - set(found))
        own = [*nearest, *self._snapshot.compare(vector.row, vector.space, others)]
        context = self._context(vector, [*found, *others])
        scores = fusion.semantic_scores(own, context, self._policy.conversation)
        sample = self._sample(vector) if nearest else NO_SAMPLE
        prominence = self._prominence(nearest, sample)
        floor, fit_floor = (
            fusion.floor_of(sample, self._policy.background, usual_mean)
            for usual_mean in (self._policy.background.usual_mean, self._policy.fit.usual_mean)
        )
        return DenseScores(scores, prominence, len(nearest) < self._count, own, context, floor, fit_floor)

    def _worded_neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies beside the best of what words found, and beside their neighbours; keys are best first."""
        if not self._policy.conversation.keyword_shares:
            return {}
        around = self._snapshot.neighbours(keys[: self._count])
        return around | self._snapshot.neighbours(self._newcomers(keys, around))

    def _beside_best(self, keys: Sequence[int]) -> list[int]:
        best = keys[: self._policy.candidates.best_with_neighbours]
        return self._newcomers(keys, self._snapshot.neighbours(best)) if best else []

    def _newcomers(self, keys: Sequence[int], around: Mapping[int, Neighbours]) -> list[int]:
        """Return the neighbours of the best ones that are not among `around`; keys are best first."""
        if self._is_narrow:
            return []
        best = [around[key] for key in keys[: self._policy.candidates.best_with_neighbours] if key in around]
        return sorted({key for of in best for key in (*of.before, *of.after)} - around.keys())

    @property
    def _is_narrow(self) -> bool:
        """Whether a neighbour may be what the filters leave out; one of the same conversation is not."""
        return replace(self._filters, conversation_id=None).is_narrow

    def _context(self, vector: QueryVector, keys: Sequence[int]) -> Mapping[int, float]:
        """Return the similarities in context, of memories that have neighbours: without, it is the best chunk's own."""
        policy = self._policy.conversation
        if not policy.context_share:
            return {}
        among = [key for key, of in self._snapshot.neighbours(keys).items() if of.before or of.after]
        return self._snapshot.contextual_similarity(vector.row, vector.space, among, policy.dense_shares)

    def _sample(self, vector: QueryVector) -> BackgroundScores:
        count, namespace = self._policy.background.sample, self._filters.namespace
        return self._snapshot.background_scores(vector.row, vector.space, namespace, count) if count else NO_SAMPLE

    def _prominence(self, nearest: Sequence[Match], sample: BackgroundScores) -> float | None:
        policy = self._policy.background
        if not sample.cosines:
            return None
        few = self._filters.is_narrow and len(nearest) < self._count
        return fusion.prominence(nearest[0].score, sample, len(nearest) if few else sample.chunks, policy)
