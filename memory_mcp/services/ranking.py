"""How vectors and keywords are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory_mcp.domain.models import Match


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
    return [Ranked(m.key, m.score, keyword=m.score) for m in matches]


def fuse(semantic: Sequence[Match], keyword: Sequence[Match], weight: float) -> list[Ranked]:
    """Join two rankings by a weighted sum of their scores, each stretched to 0-1 over its own candidates.

    Args:
        semantic: best first.
        keyword: best first.
        weight: the share of the vectors, 0-1.
    """
    dense, sparse = _stretched(semantic), _stretched(keyword)
    vectors, words = {m.key: m for m in semantic}, {m.key: m for m in keyword}
    ranked = [
        Ranked(
            key,
            weight * dense.get(key, 0.0) + (1 - weight) * sparse.get(key, 0.0),
            semantic=vectors[key].score if key in vectors else None,
            keyword=words[key].score if key in words else None,
            passage=vectors[key].passage if key in vectors else None,
        )
        for key in vectors | words
    ]
    return sorted(ranked, key=lambda hit: (-hit.score, hit.key))


def _stretched(matches: Sequence[Match]) -> dict[int, float]:
    if not matches:
        return {}
    low, high = matches[-1].score, matches[0].score
    width = high - low
    return {m.key: (m.score - low) / width if width else 1.0 for m in matches}
