"""One partition's part of the keyword index, as `storage.keyword_search` looks things up in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import apsw

from memory_mcp.domain.keywords import QueryTerm
from memory_mcp.domain.models import Filters
from memory_mcp.storage.postings import PostingCache
from memory_mcp.storage.sqlite.lexical.keywords import filed, in_a_row
from memory_mcp.storage.sqlite.lexical.scoring import Search

_HOLDING: Final = "SELECT doc FROM keyword_terms WHERE term = ?"
_BEGINNING: Final = "SELECT count(*) FROM keywords WHERE keywords MATCH ?"


@dataclass(frozen=True, slots=True)
class PartitionIndex:
    """See `storage.keyword_search.TermIndex`."""

    db: apsw.Connection
    number: int
    """The partition's."""
    memories: int
    """Live ones."""
    cache: PostingCache
    """What has been read from the index since the store last changed; searches add to it."""

    @classmethod
    def of(cls, db: apsw.Connection, partition: str, cache: PostingCache) -> PartitionIndex:
        """Look up a partition; one without memories is empty."""
        row = db.execute("SELECT number, memories FROM partitions WHERE namespace = ?", (partition,)).fetchone()
        return cls(db, *cast("tuple[int, int]", row or (0, 0)), cache)

    def counts(self, forms: Sequence[QueryTerm]) -> list[int]:
        return [self._count(form) for form in forms]

    def search(self, filters: Filters) -> Search:
        """Begin a search."""
        stored = cast("int | None", self.db.execute("SELECT sum(memories) FROM partitions").get) or 0
        return Search(self.db, filters, self.number, self.memories, stored, self.cache)

    def _count(self, term: QueryTerm) -> int:
        if term.is_prefix:
            return self._counted(_BEGINNING, in_a_row(self.number, [term.term]) + " *")
        return self._counted(_HOLDING, filed(self.number, term.term))

    def _counted(self, sql: str, asked: str) -> int:
        counts = self.cache.counts
        if asked not in counts:
            counts[asked] = cast("int | None", self.db.execute(sql, (asked,)).get) or 0
        return counts[asked]
