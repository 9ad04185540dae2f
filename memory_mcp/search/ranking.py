"""One ranking of the candidates, from the scores of their vectors, of their words, or of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from memory_mcp.search import fusion
from memory_mcp.search.adjusting import Adjusted, Adjustment
from memory_mcp.search.candidates import DenseScores, KeywordScores
from memory_mcp.search.intent import Intent
from memory_mcp.search.models import Ranked, RankedBy, SearchMode
from memory_mcp.search.policy import FusionPolicy
from memory_mcp.search.weighing import fusion_weight


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates, best first, and what ranked them."""

    ranked: Sequence[Ranked]
    mode: RankedBy
    weight: float
    """The share of the semantic scores, 0-1."""
    dense: DenseScores | None = None
    keywords: KeywordScores | None = None
    degraded: str | None = None
    adjustments: Mapping[int, Adjustment] = field(default_factory=dict)
    """What `adjusting` changed; `ranked` has the scores after it."""

    def adjusted(self, adjusted: Adjusted) -> Ranking:
        """Return it with the scores adjusted."""
        return replace(self, ranked=adjusted.ranked, adjustments=adjusted.adjustments)

    @property
    def is_all(self) -> bool:
        """Whether asking for more candidates would find no more."""
        return all(scores.is_all for scores in (self.dense, self.keywords) if scores is not None)


def by_keywords(keywords: KeywordScores, degraded: str | None) -> Ranking:
    """Rank by words alone, because that was asked for or for the reason that is given."""
    return Ranking(fusion.by_keywords(keywords.scores), "keyword", 0.0, keywords=keywords, degraded=degraded)


def by_vectors(dense: DenseScores) -> Ranking:
    """Rank by meaning alone."""
    return Ranking(fusion.by_vectors(dense.scores), "semantic", 1.0, dense=dense)


def by_both(dense: DenseScores, keywords: KeywordScores, weight: float) -> Ranking:
    """Rank by both, with this weight of the vectors."""
    ranked = fusion.fuse(dense.scores, keywords.scores, weight)
    return Ranking(ranked, "hybrid", weight, dense=dense, keywords=keywords)


def weight_of(mode: SearchMode, intent: Intent, prominence: float | None, policy: FusionPolicy) -> float:
    """Return the weight of the vectors, 0-1, that a query of this mode and intent gives them."""
    if mode == "hybrid":
        return policy.even
    return policy.identifier if intent == "identifier" else fusion_weight(prominence, policy)
