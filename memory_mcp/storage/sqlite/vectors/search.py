"""Chooses the vector search: sqlite-vec's exact scan for small namespaces, the binary index for large ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw

from memory_mcp.domain.models import BackgroundScores, Filters, Match, Neighbours, Space
from memory_mcp.storage.postings import PostingCache
from memory_mcp.storage.sqlite.db import changes
from memory_mcp.storage.sqlite.db.partitions import searched
from memory_mcp.storage.sqlite.vectors import context, exact
from memory_mcp.storage.sqlite.vectors.exact import cosines

if TYPE_CHECKING:
    from memory_mcp.storage.sqlite.vectors.binary_search import BinaryVectorIndex

LARGE: Final = 8_000
"""Vectors in a namespace from which the binary index is used. For that many, sqlite-vec takes about 6 ms and the index
2 ms, but the index needs numpy, which is 17 MB in the process."""

MOST_KNOWN: Final = 120_000
"""Memories whose neighbours are cached, and terms whose counts are."""
MOST_SUMS: Final = 4_000
"""Memories whose contextual vectors are cached, 1.5 KB each."""
MOST_HELD: Final = 1_000
"""Namespaces whose vector positions are cached, half a kilobyte per few hundred vectors."""
MOST_CHOSEN: Final = 8
"""Namespaces whose sample of vectors is cached, 200 KB each."""


@dataclass(slots=True)
class _Known:
    """Results that stay valid while the store does not change, and that every search would otherwise compute again."""

    generation: int
    around: dict[int, Neighbours | None] = field(default_factory=dict)
    keywords: PostingCache = field(default_factory=PostingCache)
    sums: dict[int, bytes] = field(default_factory=dict)
    shares: tuple[float, ...] = ()
    """The neighbour weights of the cached sums."""
    held: dict[tuple[int, str], context.PartitionVectors] = field(default_factory=dict)
    """By the space's number and the partition."""
    chosen: dict[tuple[int, str, int], bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the number of cached entries."""
        return len(self.around) + len(self.keywords.counts)


class VectorSearch:
    """Searches by vector and by conversation, for one reading thread."""

    def __init__(self, path: Path, large: int = LARGE, *, saves: bool = True) -> None:
        self._path = path
        self._saves = saves
        self._large = large
        self._signs: BinaryVectorIndex | None = None
        self._known = _Known(0)

    def nearest(self, db: apsw.Connection, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best chunk is nearest by cosine, best first.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        number = exact.vectors_of(db, space)
        if number is None:
            return []
        chunks = self._held(db, number, searched(filters)).total
        if chunks < self._large or space.dimensions % 64:  # or dimensions that do not fill 64-bit words
            return exact.nearest(db, number, vector, filters, limit, chunks)
        found = self._by_signs().nearest(db, number, vector, space, filters, limit)
        return exact.best_matches(db, found, limit)

    def background_scores(
        self, db: apsw.Connection, vector: bytes, space: Space, partition: str, count: int
    ) -> BackgroundScores:
        """Return the cosines to a sample of a partition's chunks.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        number = exact.vectors_of(db, space)
        if number is None:
            return BackgroundScores(0, ())
        held = self._held(db, number, partition)
        chosen, asked = self._known.chosen, (number, partition, count)  # of the same snapshot as the cache
        if asked not in chosen:
            if len(chosen) == MOST_CHOSEN:
                chosen.clear()
            chosen[asked] = context.chosen(db, number, space.dimensions, held, count)
        return BackgroundScores(held.total, tuple(cosines(db, vector, chosen[asked])))

    def neighbours(self, db: apsw.Connection, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return the neighbours of each memory in its conversation; a key without a conversation is absent."""
        around = self._known.around
        missing = [key for key in keys if key not in around]
        if missing:
            found = context.neighbours(db, missing)
            around.update((key, found.get(key)) for key in missing)
        return {key: beside for key in keys if (beside := around[key])}

    def contextual_similarity(
        self, db: apsw.Connection, vector: bytes, space: Space, keys: Sequence[int], shares: tuple[float, ...]
    ) -> dict[int, float]:
        """Return the cosine of each memory's contextual vector; absent without a conversation or a vector.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        around = self.neighbours(db, keys)
        known = self._known  # of the same snapshot as the neighbours
        if len(known.sums) > MOST_SUMS or known.shares != shares:
            known.sums.clear()
            known.shares = shares
        return context.contextual_similarity(db, vector, space, around, context.Sums(shares, known.sums))

    @property
    def keywords(self) -> PostingCache:
        """The cache of the keyword index."""
        return self._known.keywords

    def refresh(self, db: apsw.Connection) -> None:
        """Forget what is cached if the store has changed; call it before anything else in each read transaction."""
        generation = changes.generation(db)
        if generation != self._known.generation or self._known.size > MOST_KNOWN:
            self._known = _Known(generation)

    def _held(self, db: apsw.Connection, number: int, partition: str) -> context.PartitionVectors:
        held = self._known.held
        if (number, partition) not in held:
            if len(held) == MOST_HELD:
                held.clear()
            held[number, partition] = context.held(db, number, partition)
        return held[number, partition]

    def _by_signs(self) -> BinaryVectorIndex:
        if self._signs is None:
            from memory_mcp.storage.sqlite.vectors.binary_search import BinaryVectorIndex  # noqa: PLC0415 - numpy, which small stores do not need

            self._signs = BinaryVectorIndex(self._path, saves=self._saves)
        return self._signs
