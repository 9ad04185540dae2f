"""A fake of what a snapshot knows for charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from memory_mcp.domain.models import Filters, Memory
from memory_mcp.domain.names import folded
from tests.fakes.shelves import OnShelves


class FakeCharts(OnShelves):
    """See `domain.ports.snapshot.SnapshotForCharts`."""

    def _live(self, filters: Filters | None = None) -> list[Memory]:
        return sorted(self.shelves.live(filters), key=lambda memory: memory.key)

    def extent(self, filters: Filters) -> tuple[datetime, datetime] | None:
        """Return when the first and the last were created."""
        times = [memory.created_at for memory in self._live(filters)]
        return (min(times), max(times)) if times else None

    def density(self, filters: Filters, edges: Sequence[datetime]) -> list[int]:
        """Count between the edges."""
        times = [memory.created_at for memory in self._live(filters)]
        return [sum(since <= time < until for time in times) for since, until in pairwise(edges)]

    def labels(self, filters: Filters, by: Literal["type", "tag"]) -> list[tuple[int, str]]:
        """Return the type of each, or its most used tag."""
        found = self._live(filters)
        if by == "type":
            return [(memory.key, memory.type) for memory in found]
        used = Counter(folded(tag) for memory in found for tag in memory.tags)
        spelled: dict[str, str] = {}
        for memory in found:
            for tag in memory.tags:
                spelled.setdefault(folded(tag), tag)

        def best(memory: Memory) -> str:
            ranked = sorted(map(folded, memory.tags), key=lambda tag: (-used[tag], tag))
            return spelled[ranked[0]] if ranked else ""

        return [(memory.key, best(memory)) for memory in found]

    def embedded_keys(self, after: int, limit: int) -> list[int]:
        """Return those that have a vector."""
        filed = {
            key for key, passage, of in self.shelves.passages.values() if passage.vector and of == self.shelves.space
        }
        return [memory.key for memory in self._live() if memory.key > after and memory.key in filed][:limit]
