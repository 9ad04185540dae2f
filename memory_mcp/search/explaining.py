"""What each step of a search contributed to each hit; made from what the steps left, and only if asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memory_mcp.search.fitting import Fit
from memory_mcp.search.models import (
    Adjustment,
    Hit,
    HitExplanation,
    KeywordScores,
    Part,
    QueryExplanation,
    Ranking,
    SearchExplanation,
)
from memory_mcp.search.query_vector import QueryVector
from memory_mcp.search.results import Selection
from memory_mcp.search.steps import RankedSelection, SearchExecution


def explanation(
    search: SearchExecution,
    hits: Sequence[Hit],
    found: RankedSelection,
    browsed: RankedSelection | None,
    fits: Mapping[Part, Fit],
) -> SearchExplanation:
    """Explain an answer.

    Args:
        search: what was asked.
        hits: all that are shown, in their order.
        found: the search that they are of.
        browsed: the narrower one that those with the tags of a browse are of.
        fits: of each part, whether something there fits.
    """
    whole = _Accounts(found, is_lifted=False)
    narrow = _Accounts(browsed, is_lifted=True) if browsed else whole
    tagged = {hit.memory.key for hit in browsed.selection.hits} if browsed else set()
    explained = [
        (narrow if hit.memory.key in tagged else whole).explain(hit, place) for place, hit in enumerate(hits, 1)
    ]
    first, *others = (_of_query(search, part, found, browsed, fit) for part, fit in fits.items())
    return SearchExplanation(first, next(iter(others), None), tuple(explained))


def _of_query(
    search: SearchExecution, part: Part, found: RankedSelection, browsed: RankedSelection | None, fit: Fit
) -> QueryExplanation:
    route, ranking, searched = search.route, found.ranking.parts[part], search.parts[part]
    terms = () if ranking.keywords is None else searched.terms.terms
    return QueryExplanation(
        intent=route.intent,
        quoted=route.quoted,
        names=route.names,
        tags=route.tags if browsed else (),
        times=tuple(map(str, search.times)),
        mode=ranking.mode,
        phrasings=searched.vector.phrasings if ranking.dense and isinstance(searched.vector, QueryVector) else (),
        terms={term.term + "*" * term.is_prefix: term.weight for term in terms},
        prominence=ranking.dense.prominence if ranking.dense else None,
        known=ranking.keywords.matches.known if ranking.keywords else None,
        weight=ranking.weight,
        floor=ranking.dense.floor if ranking.dense and ranking.mode == "hybrid" else 0.0,
        tagged_weight=browsed.ranking.parts[part].weight if browsed else None,
        fit=fit.reason,
    )


@dataclass(frozen=True, slots=True)
class _Scored:
    """Scores with their ranks, from 1; equal scores have one rank."""

    scores: Mapping[int, float]
    ranks: Mapping[float, int]

    @classmethod
    def of(cls, scores: Iterable[tuple[int, float]]) -> _Scored:
        known = dict(scores)
        ranks: dict[float, int] = {}
        for place, score in enumerate(sorted(known.values(), reverse=True), 1):
            ranks.setdefault(score, place)
        return cls(known, ranks)

    def score(self, key: int) -> float | None:
        return self.scores.get(key)

    def rank(self, key: int) -> int | None:
        return self.ranks[self.scores[key]] if key in self.scores else None


class _Accounts:
    """The ranks and scores that one search gave, in each part by itself."""

    def __init__(self, found: RankedSelection, *, is_lifted: bool) -> None:
        rankings = found.ranking.parts.values()
        self._accounts = [_Account(ranking, found.selection, is_lifted=is_lifted) for ranking in rankings]

    def explain(self, hit: Hit, rank: int) -> HitExplanation:
        """Explain a hit by the part that it is of; one that was only listed is in none."""
        key = hit.memory.key
        account = next((account for account in self._accounts if account.has(key)), self._accounts[0])
        return account.explain(hit, rank)


class _Account:
    """The ranks and scores that one search gave in a part."""

    def __init__(self, ranking: Ranking, selection: Selection, *, is_lifted: bool) -> None:
        dense, keywords = ranking.dense, ranking.keywords
        self._ranking = ranking
        self._is_lifted = is_lifted
        self._adjusted = ranking.scores
        self._adjustments = ranking.adjustments
        self._fused = _Scored.of((key, score - self._adjustment(key).total) for key, score in ranking.scores.items())
        self._cosines = _Scored.of((match.key, match.score) for match in (dense.own if dense else ()))
        self._semantic = _Scored.of((dense.scores if dense else {}).items())
        self._keywords = _Scored.of((keywords.scores if keywords else {}).items())
        self._own = _own_words(keywords) if keywords else {}
        self._before_age = {hit.memory.key: place for place, hit in enumerate(selection.considered)}
        self._after_age = {hit.memory.key: place for place, hit in enumerate(selection.in_order)}

    def _adjustment(self, key: int) -> Adjustment:
        return self._adjustments.get(key, Adjustment())

    def has(self, key: int) -> bool:
        return key in self._adjusted

    def explain(self, hit: Hit, rank: int) -> HitExplanation:
        key = hit.memory.key
        adjustment = self._adjustment(key)
        keyword, fused = self._keywords.score(key), self._fused.score(key) or 0.0
        own = None if keyword is None else min(keyword, self._own.get(key, 0.0))
        return HitExplanation(
            id=hit.memory.id,
            rank=rank,
            cosine=self._cosines.score(key),
            cosine_rank=self._cosines.rank(key),
            context=self._ranking.dense.context.get(key) if self._ranking.dense else None,
            semantic=self._semantic.score(key),
            semantic_rank=self._semantic.rank(key),
            own=own,
            neighbours=None if keyword is None or own is None else keyword - own,
            keyword=keyword,
            keyword_rank=self._keywords.rank(key),
            fused=fused,
            fused_rank=self._fused.rank(key),
            time=adjustment.time,
            length=adjustment.length,
            turn=adjustment.turn,
            tag_lift=hit.ranked.score - self._adjusted.get(key, 0.0) if self._is_lifted else 0.0,
            age_shift=self._before_age.get(key, 0) - self._after_age.get(key, 0),
        )


def _own_words(keywords: KeywordScores) -> dict[int, float]:
    """Return what each memory's own words score, 0-1."""
    return {key: score / keywords.divisor for key, score in keywords.matches.scores.items()}
