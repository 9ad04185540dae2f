"""What the file holds at one moment, for work inside one read transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

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
from memory_mcp.storage.sqlite.lexical import search
from memory_mcp.storage.sqlite.lexical.search import NamespaceIndex
from memory_mcp.storage.sqlite.lexical.tokenizer import porter
from memory_mcp.storage.sqlite.records import reads
from memory_mcp.storage.sqlite.vectors import exact
from memory_mcp.storage.sqlite.vectors.search import VectorSearch


class SqliteSnapshot:
    """See `domain.ports.Snapshot`; a connection that is inside a transaction."""

    def __init__(self, db: apsw.Connection, finder: VectorSearch) -> None:
        self._db = db
        self._finder = finder
        self._indexes: dict[str, NamespaceIndex] = {}

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        return reads.fetch(self._db, keys)

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        """Return when memories were created and how long they are."""
        return reads.outlines(self._db, keys, most_bytes)

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        return reads.page(self._db, filters, limit, cursor)

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best chunk is nearest by cosine."""
        return self._finder.nearest(self._db, vector, space, filters, limit)

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories."""
        return exact.compare(self._db, vector, space, keys)

    def tokenizer(self) -> Tokenize:
        """Return what makes words to terms."""
        return porter(self._db)

    def languages(self, namespace: str) -> tuple[str, ...]:
        """Return the languages other than English that memories of a namespace are filed under."""
        return search.languages(self._index(namespace))

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories that hold terms of the query and all of its phrases, best first."""
        return search.keyword_search(self._index(filters.namespace), query, filters, limit)

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        """Return how many memories of a namespace hold each of these words."""
        return search.document_frequencies(self._index(namespace), words)

    def _index(self, namespace: str) -> NamespaceIndex:
        if namespace not in self._indexes:
            self._indexes[namespace] = NamespaceIndex.of(self._db, namespace, self._finder.keywords(self._db))
        return self._indexes[namespace]

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies on each side of each memory in its conversation."""
        return self._finder.neighbours(self._db, keys)

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        """Return the cosine to each memory's meaning among its neighbours."""
        return self._finder.contextual_similarity(self._db, vector, space, keys, tuple(shares))

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines to some chunks of a namespace."""
        return self._finder.background_scores(self._db, vector, space, namespace, count)

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of the namespace."""
        return reads.tags_among(self._db, words, namespace)

    def space(self) -> Space | None:
        """Return the space of the store's vectors; None before the first."""
        return exact.space(self._db)

    def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors."""
        return reads.queue(self._db, namespace)
