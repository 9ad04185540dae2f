"""The snapshot port over one read transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Literal

import apsw

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.keywords import KeywordQuery, QueryTerm, Tokenize
from memory_mcp.domain.models import (
    BackgroundScores,
    DocumentFrequencies,
    Filters,
    KeywordMatches,
    Match,
    Memory,
    Neighbours,
    Outline,
    Page,
    QueueCounts,
    Space,
)
from memory_mcp.domain.trash import TrashPage
from memory_mcp.storage import keyword_search
from memory_mcp.storage.documents import sections
from memory_mcp.storage.sqlite.db.partitions import searched
from memory_mcp.storage.sqlite.documents import SqliteSession
from memory_mcp.storage.sqlite.lexical.search import PartitionIndex
from memory_mcp.storage.sqlite.records import charts, reads
from memory_mcp.storage.sqlite.vectors import context, exact
from memory_mcp.storage.sqlite.vectors.search import VectorSearch
from memory_mcp.storage.tokenizer import porter


class SqliteSnapshot:
    """See `domain.ports.Snapshot`; its connection is inside a read transaction."""

    def __init__(self, db: apsw.Connection, finder: VectorSearch, *, of_documents: bool = False) -> None:
        self._db = db
        self._caches = finder
        self._of_documents = of_documents
        self._indexes: dict[str, PartitionIndex] = {}

    def documents(self) -> SqliteSnapshot:
        return self._documents

    @cached_property
    def _documents(self) -> SqliteSnapshot:
        found = SqliteSnapshot(self._db, self._caches, of_documents=True)
        found._finder = self._finder  # which is refreshed
        return found

    @cached_property
    def _finder(self) -> VectorSearch:
        self._caches.refresh(self._db)  # once: nothing changes in a snapshot
        return self._caches

    def within(self, *namespaces: str) -> SqliteSnapshot:
        """Return itself: a file has no wall behind the principal's reach."""
        del namespaces
        return self

    def everywhere(self) -> SqliteSnapshot:
        """Return itself."""
        return self

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        return reads.fetch(self._db, keys)

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        """Return when memories were created and how long they are."""
        return reads.outlines(self._db, keys, most_bytes)

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        return sections.places(SqliteSession(self._db), keys)

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        return reads.page(self._db, filters, limit, cursor)

    def trash(self, namespace: str, *, limit: int, cursor: str | None) -> TrashPage:
        return reads.trash(self._db, namespace, limit, cursor)

    def first_vectors(self, keys: Sequence[int]) -> dict[int, bytes]:
        active = exact.active_space(self._db)
        return {} if active is None else context.first_vectors(self._db, active[0], active[1].dimensions, keys)

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        return self._finder.nearest(self._db, vector, space, self._narrowed(filters), limit)

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        return exact.compare(self._db, vector, space, keys)

    def tokenizer(self) -> Tokenize:
        return porter(self._db)

    def languages(self, namespace: str) -> tuple[str, ...]:
        return keyword_search.languages(self._index(namespace))

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        index = self._index(filters.namespace)
        return keyword_search.keyword_search(index, index.search(self._narrowed(filters)), query, limit)

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        return keyword_search.document_frequencies(self._index(namespace), words)

    def _index(self, namespace: str) -> PartitionIndex:
        if namespace not in self._indexes:
            self._indexes[namespace] = PartitionIndex.of(self._db, self._partition(namespace), self._finder.keywords)
        return self._indexes[namespace]

    def _partition(self, namespace: str) -> str:
        return searched(self._narrowed(Filters(namespace)))

    def _narrowed(self, filters: Filters) -> Filters:
        return replace(filters, documents=self._of_documents)

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        return self._finder.neighbours(self._db, keys)

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        return self._finder.contextual_similarity(self._db, vector, space, keys, tuple(shares))

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        return self._finder.background_scores(self._db, vector, space, self._partition(namespace), count)

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        return reads.tags_among(self._db, words, namespace)

    def space(self) -> Space | None:
        return exact.space(self._db)

    def queue(self, namespace: str | None) -> QueueCounts:
        return reads.queue(self._db, namespace)

    def extent(self, filters: Filters) -> tuple[datetime, datetime] | None:
        return charts.extent(self._db, filters)

    def density(self, filters: Filters, edges: Sequence[datetime]) -> list[int]:
        return charts.density(self._db, filters, edges)

    def labels(self, filters: Filters, by: Literal["type", "tag"]) -> list[tuple[int, str]]:
        return charts.labels(self._db, filters, by)

    def embedded_keys(self, after: int, limit: int) -> list[int]:
        return charts.embedded_keys(self._db, after, limit)
