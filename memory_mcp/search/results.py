"""From ranked memories to the hits of an answer: what is strong enough, in order, each thing once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.domain.models import Memory
from memory_mcp.search.fusion import Ranked

MOST_FOR_AGE: Final = 0.5
"""The share of its rank that the oldest rival loses at a `recency` of 1."""
FOCUS: Final = 4
"""How sharply age is counted among the best: a rival halfway down to the last one counts 1/2**4 of the first."""

ALIKE: Final = 0.9
"""The share of their words that near duplicates have in common (Dice's coefficient over words with repetitions)."""
COMPARED_CHARS: Final = 10_000
"""Longer contents are near duplicates only when they are equal but for case, accents, blanks and punctuation."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found, and how."""

    memory: Memory
    ranked: Ranked
    duplicates: tuple[str, ...] = ()
    """The ids of the near duplicates that it stands for."""

    @property
    def passage(self) -> str | None:
        """The best passage's text, where the memory has more than one."""
        span = self.ranked.passage
        return None if span is None else self.memory.content[slice(*span)]


@dataclass(frozen=True, slots=True)
class NearMisses:
    """What would have been found with a lower `min_score`."""

    count: int
    best_score: float


def near_misses(ranked: Sequence[Ranked], min_score: float, limit: int) -> NearMisses | None:
    """Return how many results a search would have had without its bar, when none passes it."""
    below = [hit.score for hit in ranked if 0 < hit.score < min_score]
    if not below or any(hit.score >= min_score for hit in ranked):
        return None
    return NearMisses(min(limit, len(below)), max(below))


def worth_loading(ranked: Sequence[Ranked], limit: int, recency: float) -> list[Ranked]:
    """Leave out what could not come among the first `limit` however new it is; `ranked` is best first."""
    if len(ranked) <= limit:
        return list(ranked)
    bar = ranked[limit - 1].score * _least_share(recency) - 1e-4  # equal is what looks equal in four digits
    return [hit for hit in ranked if hit.score >= bar]


def in_order(hits: Sequence[Hit], recency: float) -> list[Hit]:
    """Put the best first, of equal ones the newer; the more `recency` (0-1), the more the newer come first.

    Age is a matter of order, so that it works alike for minutes and for years: a memory loses rank by how many of its
    rivals are newer. The rivals are the hits near enough to the best that age could reorder them; the better one is,
    the more it counts. Of two, the newer is first if its score is at least half of the older's at 1, three quarters at
    0.5. The scores that are shown do not change.
    """
    newer = _share_newer(hits, recency)

    def rank(hit: Hit) -> tuple[float, datetime, int]:
        share = 1 - newer.get(hit.memory.key, 0.0) * (1 - _least_share(recency))
        return round(hit.ranked.score * share, 4), hit.memory.created_at, hit.memory.key

    return sorted(hits, key=rank, reverse=True)


def _share_newer(hits: Sequence[Hit], recency: float) -> dict[int, float]:
    """Return for each hit the share of its rivals that are newer, 0-1, each counted by how good it is."""
    best = max((hit.ranked.score for hit in hits), default=0.0)
    last = best * _least_share(recency)
    if last >= best:
        return {}
    weights = {hit.memory.key: (max(0.0, hit.ranked.score - last) / (best - last)) ** FOCUS for hit in hits}
    total = math.fsum(weights.values())
    shares: dict[int, float] = {}
    newer = 0.0
    for hit in sorted(hits, key=lambda hit: (hit.memory.created_at, hit.memory.key), reverse=True):
        weight = weights[hit.memory.key]
        rivals = total - weight
        shares[hit.memory.key] = min(1.0, newer / rivals) if rivals > 0 else 0.0
        newer += weight
    return shares


def _least_share(recency: float) -> float:
    """Return what is left of the oldest rival's rank."""
    return 1 - recency * MOST_FOR_AGE


def holds_all(memory: Memory, quoted: Sequence[str]) -> bool:
    """Say whether a memory's content has all these words as they stand, but for their spelling and punctuation."""
    return all(spelling.holds(memory.content, words) for words in quoted)


def collapsed(hits: Sequence[Hit], limit: int) -> list[Hit]:
    """Let each hit stand for its near duplicates further down; the first of them is kept, `limit` at most."""
    kept: list[tuple[_Print, Hit]] = []
    for hit in hits:
        mark = _Print.of(hit.memory.content)
        twin = next((index for index, (other, _) in enumerate(kept) if mark.is_like(other)), None)
        if twin is not None:
            first = kept[twin][1]
            kept[twin] = (kept[twin][0], replace(first, duplicates=(*first.duplicates, hit.memory.id)))
        elif len(kept) < limit:
            kept.append((mark, hit))
    return [hit for _, hit in kept]


@dataclass(frozen=True, slots=True)
class _Print:
    """What a content says, whatever its case, accents, blanks and punctuation."""

    text: str
    words: Counter[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, content: str) -> _Print:
        words = spelling.plain_words(content)
        counted = Counter(words if len(content) <= COMPARED_CHARS else ())
        return cls(" ".join(words), counted, frozenset(word for word in counted if any(map(str.isdigit, word))))

    def is_like(self, other: _Print) -> bool:
        """Say whether they are near duplicates; two that differ in a number never are."""
        if self.text == other.text:
            return True
        mine, yours = self.words.total(), other.words.total()
        if self.numbers != other.numbers or 2 * min(mine, yours) < ALIKE * (mine + yours) or not mine:
            return False
        return 2 * (self.words & other.words).total() >= ALIKE * (mine + yours)
