"""How vectors and keywords are scored on one scale and joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from memory_mcp.domain.models import KeywordMatches, Match, Neighbours
from memory_mcp.search.models import Ranked
from memory_mcp.search.policy import ConversationPolicy, SearchPolicy


def keyword_scores(
    found: KeywordMatches, around: Mapping[int, Neighbours], policy: SearchPolicy
) -> tuple[dict[int, float], float]:
    """Return the keyword score, 0-1, of what words found and of its neighbours in `around`, and the divisor.

    A turn is found through what was said just before and after it too. The best one gets the root of its share of the
    best possible score, the others theirs in proportion: words that say little ("which", "my") cannot lift a memory
    because no other matched.
    """
    shares = policy.conversation.keyword_shares
    held = {match.key: match.score for match in found.matches}
    joined = held | {key: held.get(key, 0.0) + _of_neighbours(beside, held, shares) for key, beside in around.items()}
    calibration = policy.keywords.calibration
    divisor = found.max_score**calibration * max(joined.values(), default=0.0) ** (1 - calibration)
    return {key: min(1.0, score / divisor) for key, score in joined.items() if score > 0}, divisor


def _of_neighbours(around: Neighbours, held: Mapping[int, float], shares: Sequence[float]) -> float:
    sides = chain(zip(shares, around.before, strict=False), zip(shares, around.after, strict=False))
    return sum(share * held.get(key, 0.0) for share, key in sides)


def semantic_scores(own: Iterable[Match], context: Mapping[int, float], policy: ConversationPolicy) -> dict[int, Match]:
    """Return the semantic score, 0-1: the cosine of the best chunk, in a conversation joined with that in context."""
    share = policy.context_share
    return {
        key: Match(key, (1 - share) * score + share * max(0.0, context.get(key, score)), passage)
        for key, score, passage in own
    }


def by_vectors(matches: Mapping[int, Match]) -> list[Ranked]:
    """Rank by meaning alone, best first."""
    return _sorted(Ranked(m.key, m.score, semantic=m.score, passage=m.passage) for m in matches.values())


def by_keywords(scores: Mapping[int, float]) -> list[Ranked]:
    """Rank by keywords alone, best first."""
    return _sorted(Ranked(key, score, keyword=score) for key, score in scores.items())


def fuse(dense: Mapping[int, Match], keywords: Mapping[int, float], weight: float) -> list[Ranked]:
    """Join both kinds by a weighted sum of their scores, best first.

    Args:
        dense: with the scores of the best memories that `keywords` has, where they have a vector.
        keywords: the keyword scores; a memory that is missing here has 0.
        weight: the share of the semantic scores, 0-1.
    """
    scores = {key: (1 - weight) * score for key, score in keywords.items()}
    for key, match in dense.items():
        scores[key] = scores.get(key, 0.0) + weight * match.score
    return [
        Ranked(key, score, match and match.score, keywords.get(key), match and match.passage)
        for score, key in sorted(zip(scores.values(), scores, strict=True), reverse=True)
        for match in [dense.get(key)]
    ]


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda hit: (-hit.score, -hit.key))
