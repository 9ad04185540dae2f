"""What every search would otherwise read again; valid while the store does not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from memory_mcp.domain.models import Neighbours
from memory_mcp.storage.postgres.lexical.search import PartitionCache

MOST_KNOWN: Final = 120_000
"""Memories whose neighbours and namespaces are kept, and terms whose counts are."""


@dataclass(slots=True)
class ReadCache:
    """What was read of one generation of the store; several threads may use it."""

    generation: int
    partitions: dict[str, dict[bool, PartitionCache]] = field(default_factory=dict)
    """By namespace, and whether documents are meant."""
    around: dict[int, Neighbours | None] = field(default_factory=dict)
    namespaces: dict[int, str] = field(default_factory=dict)
    """Of memories, by key."""

    @property
    def size(self) -> int:
        """Return the number of entries."""
        counts = sum(len(cache.counts) for both in [*self.partitions.values()] for cache in both.values())
        return len(self.around) + len(self.namespaces) + counts


class CurrentCache:
    """The cache of the newest generation that was seen."""

    def __init__(self) -> None:
        self._newest = ReadCache(0)

    def of(self, generation: int) -> ReadCache:
        """Return the cache of a generation; an empty one for an older generation than others read."""
        newest = self._newest
        if generation == newest.generation and newest.size <= MOST_KNOWN:
            return newest
        cache = ReadCache(generation)
        if generation >= newest.generation:
            self._newest = cache
        return cache
