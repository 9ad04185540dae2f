"""How vectors and keywords are scored on one scale and joined."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from memory_mcp.domain.models import KeywordMatches, Match, Neighbours

SHARES: Final = (1 / 2, 1 / 4)
"""What a memory gets of the keyword scores of its neighbours in the conversation, by their distance."""

FITS_FROM: Final = 0.43
"""The `fit` from which on something fits a query well.

It tells questions that are asked in their own conversation from the same in a foreign one: `benchmarks.weak` measures
how well, and docs/benchmarks.md holds the figures.
"""


class Ranked(NamedTuple):  # hundreds are made in a search: twice as fast as a frozen dataclass
    """A memory with its scores, 0-1; None where that kind of search did not find it."""

    key: int
    score: float
    semantic: float | None = None
    keyword: float | None = None
    passage: tuple[int, int] | None = None


def keyword_scores(found: KeywordMatches, around: Mapping[int, Neighbours]) -> dict[int, float]:
    """Return the keyword score, 0-1, of what words found and of its neighbours in `around`.

    A turn is found through what was said just before and after it too. The best one gets the root of its share of the
    best possible score, the others theirs in proportion: words that say little ("which", "my") cannot lift a memory
    because no other matched.
    """
    held = {match.key: match.score for match in found.matches}
    joined = held | {key: held.get(key, 0.0) + _of_neighbours(beside, held) for key, beside in around.items()}
    full = math.sqrt(found.max_score * max(joined.values(), default=0.0))
    return {key: min(1.0, score / full) for key, score in joined.items() if score > 0}


def _of_neighbours(around: Neighbours, held: Mapping[int, float]) -> float:
    sides = chain(zip(SHARES, around.before, strict=False), zip(SHARES, around.after, strict=False))
    return sum(share * held.get(key, 0.0) for share, key in sides)


def contextual_similarity(own: Iterable[Match], among: Mapping[int, float]) -> dict[int, Match]:
    """Return the semantic score, 0-1: the cosine of the best passage, in a conversation halved with the context's."""
    return {
        match.key: Match(match.key, (match.score + max(0.0, among.get(match.key, match.score))) / 2, match.passage)
        for match in own
    }


def by_vectors(matches: Mapping[int, Match]) -> list[Ranked]:
    """Rank by meaning alone, best first."""
    return _sorted(Ranked(m.key, m.score, semantic=m.score, passage=m.passage) for m in matches.values())


def by_keywords(words: Mapping[int, float]) -> list[Ranked]:
    """Rank by keywords alone, best first."""
    return _sorted(Ranked(key, score, keyword=score) for key, score in words.items())


def fuse(vectors: Mapping[int, Match], words: Mapping[int, float], weight: float) -> list[Ranked]:
    """Join both kinds by a weighted sum of their scores, best first.

    Args:
        vectors: with the scores of the best memories that `words` has, where they have a vector.
        words: the keyword scores; a memory that is missing here has 0.
        weight: the share of the vectors, 0-1.
    """
    scores = {key: (1 - weight) * score for key, score in words.items()}
    for key, match in vectors.items():
        scores[key] = scores.get(key, 0.0) + weight * match.score
    return [
        Ranked(key, score, match and match.score, words.get(key), match and match.passage)
        for score, key in sorted(zip(scores.values(), scores, strict=True), reverse=True)
        for match in [vectors.get(key)]
    ]


def fit(*kinds: Collection[float]) -> float:
    """Return how well a query's best matches fit, 0-1: the mean of the best score of each kind of search that was done.

    The best of each kind may be of two memories: their sum told more than the sum of any one.
    """
    return math.fsum(max(scores, default=0.0) for scores in kinds) / len(kinds)


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda hit: (-hit.score, -hit.key))
