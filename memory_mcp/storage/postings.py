"""A cache of postings: what memories get for a word, valid while the store does not change."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

MAX_CACHED_NAMESPACE: Final = 8_000
"""Largest namespace, in memories, whose postings are cached; in a larger one searches rarely share words."""
MAX_CACHED_POSTINGS: Final = 500_000
"""Maximum number of cached postings, 12 bytes each."""
POSTINGS_PER_WORD: Final = 30
"""Overhead of a cached word, in postings."""

Share = tuple[int, float]
"""A memory and its score for a word."""
Shares = tuple["array[int]", "array[float]"]
"""Memories with a word, and their scores for it at weight 1."""


@dataclass(slots=True)
class PostingCache:
    """What was read from the index; several threads may use it."""

    counts: dict[str, int] = field(default_factory=dict)
    """Document frequencies of terms, by the store's expression for each."""
    shares: dict[str, Shares] = field(default_factory=dict)
    """Likewise the memories with a word."""
    postings: int = 0  # in all shares; kept because counting them takes longer the more words there are

    def add(self, match: str, shares: Iterable[Share]) -> Shares:
        """Add a word's scores, and return them; drops all others first if the cache is full."""
        keys, values = array("q"), array("f")
        for key, share in shares:
            keys.append(key)
            values.append(share)
        if self.postings > MAX_CACHED_POSTINGS:
            self.shares.clear()
            self.postings = 0
        self.shares[match] = keys, values  # only after all were read, so that a partial list is never used
        self.postings += len(keys) + POSTINGS_PER_WORD
        return keys, values


def give(sums: dict[int, float], shares: Iterable[Share], weight: float = 1.0) -> None:
    """Add to the scores of memories."""
    so_far = sums.get  # a local name is faster over thousands of shares
    for key, share in shares:
        sums[key] = so_far(key, 0.0) + weight * share


def give_among(sums: dict[int, float], shares: Shares, weight: float, keys: Collection[int]) -> None:
    """Add to the scores of some memories."""
    wanted = frozenset(keys)
    give(sums, ((key, share) for key, share in zip(*shares, strict=True) if key in wanted), weight)
