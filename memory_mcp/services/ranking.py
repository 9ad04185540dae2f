"""How vectors and keywords are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain.models import Match

KEYWORD_FULL: Final = 1 / 2
"""The share of the best possible BM25 score that counts as 1 beside a cosine: no memory repeats every word of a
question, and the best hits of real questions reach a quarter to a half of it (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory with its scores, 0-1; None where that kind of search did not find it."""

    key: int
    score: float
    semantic: float | None = None
    keyword: float | None = None
    passage: tuple[int, int] | None = None


def by_vectors(matches: Sequence[Match]) -> list[Ranked]:
    """Rank by cosine alone."""
    return [Ranked(m.key, m.score, semantic=m.score, passage=m.passage) for m in matches]


def by_keywords(matches: Sequence[Match]) -> list[Ranked]:
    """Rank by keywords alone."""
    return [Ranked(m.key, _beside_a_cosine(m.score), keyword=m.score) for m in matches]


def fuse(semantic: Sequence[Match], keyword: Sequence[Match], weight: float) -> list[Ranked]:
    """Join both kinds by a weighted sum of their scores, best first.

    The scores are absolute: words that say little ("which", "my") cannot lift a memory because no other matched.

    Args:
        semantic: with the cosine of every memory that `keyword` found, where it has a vector.
        keyword: what holds words of the query; a memory that is missing here has 0.
        weight: the share of the vectors, 0-1.
    """
    vectors, words = {m.key: m for m in semantic}, {m.key: m for m in keyword}
    ranked = [_joined(key, vectors.get(key), words.get(key), weight) for key in vectors | words]
    return sorted(ranked, key=lambda hit: (-hit.score, hit.key))


def _joined(key: int, vector: Match | None, words: Match | None, weight: float) -> Ranked:
    cosine = vector.score if vector else 0.0
    keyword = _beside_a_cosine(words.score) if words else 0.0
    return Ranked(
        key,
        weight * cosine + (1 - weight) * keyword,
        semantic=vector.score if vector else None,
        keyword=words.score if words else None,
        passage=vector.passage if vector else None,
    )


def _beside_a_cosine(share: float) -> float:
    return min(1.0, share / KEYWORD_FULL)
