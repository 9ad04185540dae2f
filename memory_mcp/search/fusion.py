"""From the scores of words and of meaning to one ranking: one scale, a weight for this query, a weighted sum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from memory_mcp.domain.models import BackgroundScores, KeywordMatches, Match, Neighbours
from memory_mcp.search.intent import Intent
from memory_mcp.search.models import DenseScores, KeywordScores, Ranking, SearchMode
from memory_mcp.search.policy import BackgroundPolicy, ConversationPolicy, FusionPolicy, SearchPolicy

if TYPE_CHECKING:
    from statistics import NormalDist


def keyword_scores(
    found: KeywordMatches, around: Mapping[int, Neighbours], policy: SearchPolicy
) -> tuple[dict[int, float], float]:
    """Return the keyword scores, 0-1 and best first, of what words found and of its neighbours, and the divisor.

    A turn is found through what was said just before and after it too. The best one gets the root of its share of the
    best possible score, the others theirs in proportion: words that say little ("which", "my") cannot lift a memory
    because no other matched.
    """
    joined = _with_neighbours(found.scores, around, policy.conversation.keyword_shares)
    calibration = policy.keywords.calibration
    divisor = found.max_score**calibration * max(joined.values(), default=0.0) ** (1 - calibration)
    ordered = sorted(joined, key=joined.__getitem__, reverse=True)
    return {key: min(1.0, joined[key] / divisor) for key in ordered if joined[key] > 0}, divisor


def _with_neighbours(
    held: Mapping[int, float], around: Mapping[int, Neighbours], shares: Sequence[float]
) -> dict[int, float]:
    """Return all scores with the shares of the neighbours' ones; written for speed, as it is done hundreds of times."""
    joined, score_of = dict(held), held.get
    for key, beside in around.items():
        score = score_of(key, 0.0)
        for side in beside.before, beside.after:
            for share, neighbour in zip(shares, side, strict=False):
                score += share * score_of(neighbour, 0.0)
        joined[key] = score
    return joined


def semantic_scores(own: Iterable[Match], context: Mapping[int, float], policy: ConversationPolicy) -> dict[int, float]:
    """Return the semantic score, 0-1: the cosine of the best chunk, in a conversation joined with that in context."""
    share, in_context = policy.context_share, context.get
    return {key: (1 - share) * score + share * max(0.0, in_context(key, score)) for key, score, _ in own}


@cache
def _normal() -> NormalDist:
    from statistics import NormalDist  # noqa: PLC0415 - what the first answer to a client does not need

    return NormalDist()


def prominence(best: float, sample: BackgroundScores, chunks: int, policy: BackgroundPolicy) -> float | None:
    """Return by how many standard deviations a cosine is above what the best of so many chunks has by chance.

    That is the expected largest of n normal values by Blom's formula (Statistical Estimates and Transformed Beta
    Variables, 1958). None where the chunks are too few or all alike.
    """
    if min(chunks, len(sample.cosines)) < policy.fewest:
        return None
    spread = _spread(sample)
    if spread is None:
        return None
    mean, deviation = spread
    by_chance = _normal().inv_cdf((chunks - 0.375) / (chunks + 0.25))
    return (best - mean) / deviation - by_chance


@lru_cache(1)  # a search asks three times
def _spread(sample: BackgroundScores) -> tuple[float, float] | None:
    """Return the mean and the standard deviation of the cosines; None where they are all alike."""
    cosines = [min(1.0, cosine) for cosine in sample.cosines]  # rounding may take one above 1
    mean = math.fsum(cosines) / len(cosines)
    variance = math.fsum((cosine - mean) ** 2 for cosine in cosines) / len(cosines)
    return None if variance < 1e-9 else (mean, math.sqrt(variance))


def floor_of(sample: BackgroundScores, policy: BackgroundPolicy, usual_mean: float) -> float:
    """Return the cosine that counts as 0, 0-1, so that the mean of the sample counts as the usual one.

    A model may give unrelated texts a cosine of 0.75, so that words would decide nothing. The floor is 0 where the
    mean is low, or the chunks are too few or too much alike to tell; from there it grows with the mean.
    """
    if len(sample.cosines) < policy.fewest:
        return 0.0
    mean, _ = _spread(sample) or (0.0, 0.0)
    if mean <= policy.narrow_from:
        return 0.0
    certainty = min(1.0, (mean - policy.narrow_from) / policy.narrow_over)
    return certainty * max(0.0, mean - usual_mean) / (1 - usual_mean)


def stretched(cosine: float, floor: float) -> float:
    """Return a semantic score, 0-1, on the scale on which the floor is 0."""
    return max(0.0, (cosine - floor) / (1 - floor))


def foreignness(dense: DenseScores, keywords: KeywordScores, policy: FusionPolicy) -> float:
    """Return how far words cannot tell what fits, 0-1, because the namespace has few of the query's.

    It is 1 for a question in another language: of that the namespace lacks even the function words. Among a handful of
    chunks, or of a query of few words, most may be missing anyway, which says nothing.
    """
    matches = keywords.matches
    if dense.prominence is None or not policy.known_half or matches.words < policy.known_fewest:
        return 0.0
    return _logistic(policy.known_steepness * (policy.known_half - matches.known))


def fusion_weight(prominence: float | None, foreign: float, policy: FusionPolicy) -> float:
    """Return the share of the semantic score in the whole, 0-1; it comes nearer to 1 the more foreign the words are."""
    if prominence is None:
        return policy.default
    span = policy.span + foreign * (1 - policy.min - policy.span)
    midpoint = policy.midpoint - foreign * policy.foreign_shift
    return policy.min + span * _logistic(policy.steepness * (prominence - midpoint))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def weight_of(
    mode: SearchMode, intent: Intent, prominence: float | None, foreign: float, policy: FusionPolicy
) -> float:
    """Return the weight of the vectors, 0-1, that a query of this mode and intent gives them."""
    if mode == "hybrid":
        return policy.even
    if intent == "identifier":
        return policy.identifier
    return fusion_weight(prominence, foreign, policy)


def by_keywords(keywords: KeywordScores, degraded: str | None) -> Ranking:
    """Rank by words alone, because that was asked for or for the reason that is given."""
    return Ranking(_sorted(keywords.scores), "keyword", 0.0, keywords=keywords, degraded=degraded)


def by_vectors(dense: DenseScores) -> Ranking:
    """Rank by meaning alone."""
    return Ranking(_sorted(dense.scores), "semantic", 1.0, dense=dense)


def by_both(dense: DenseScores, keywords: KeywordScores, weight: float, foreign: float) -> Ranking:
    """Rank by both, with this weight of the vectors; `foreign` is the query's `foreignness`."""
    scores = fuse(dense.scores, keywords.scores, weight, dense.floor)
    return Ranking(scores, "hybrid", weight, dense=dense, keywords=keywords, foreign=foreign)


def fuse(
    dense: Mapping[int, float], keywords: Mapping[int, float], weight: float, floor: float = 0.0
) -> dict[int, float]:
    """Join both kinds by a weighted sum of their scores, best first.

    Args:
        dense: with the scores of the best memories that `keywords` has, where they have a vector.
        keywords: the keyword scores; a memory that is missing here has 0.
        weight: the share of the semantic scores, 0-1.
        floor: the semantic score that counts as 0, see `floor_of`.
    """
    scores = {key: (1 - weight) * score for key, score in keywords.items()}
    share = weight / (1 - floor)
    for key, score in dense.items():
        scores[key] = scores.get(key, 0.0) + share * max(0.0, score - floor)  # `stretched`, times the weight
    return _sorted(scores)


def _sorted(scores: Mapping[int, float]) -> dict[int, float]:
    """Return the scores, best first; of equal ones the newer memory."""
    ordered = sorted(scores, reverse=True)
    ordered.sort(key=scores.__getitem__, reverse=True)  # equal ones stay in their order
    return {key: scores[key] for key in ordered}
