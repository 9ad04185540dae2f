"""The snapshot port over one read transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Literal

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
from memory_mcp.storage.labels import Labels
from memory_mcp.storage.postgres.cache import ReadCache
from memory_mcp.storage.postgres.db.portable import PortableSql
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.search import PartitionTerms, caches_of
from memory_mcp.storage.postgres.records import charts, reads
from memory_mcp.storage.postgres.vectors import context, nearest, queue
from memory_mcp.storage.postgres.vectors.active import active_space
from memory_mcp.storage.tokenizer import of_this_thread
from memory_mcp.storage.vectors import check_space


class PostgresSnapshot:
    """See `domain.ports.Snapshot`; its session is inside a read transaction."""

    def __init__(self, db: PgSession, cache: ReadCache, *, of_documents: bool = False) -> None:
        self._db = db
        self._known = cache
        self._of_documents = of_documents
        self._looked = False
        self._space: tuple[int, Space] | None = None
        """The active space, once it was looked for."""

    def documents(self) -> PostgresSnapshot:
        return self._documents

    @cached_property
    def _documents(self) -> PostgresSnapshot:
        return PostgresSnapshot(self._db, self._known, of_documents=True)

    def within(self, *namespaces: str) -> PostgresSnapshot:
        self._db.reach(*namespaces)
        return self

    def everywhere(self) -> PostgresSnapshot:
        self._db.reach_all()
        return self

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        return reads.fetch(self._db, keys)

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        return reads.outlines(self._db, keys, most_bytes)

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        return sections.places(PortableSql(self._db), keys)

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        return reads.page(self._db, filters, limit, cursor)

    def trash(self, namespace: str, *, limit: int, cursor: str | None) -> TrashPage:
        return reads.trash(self._db, namespace, limit, cursor)

    def extent(self, filters: Filters) -> tuple[datetime, datetime] | None:
        return charts.extent(self._db, filters)

    def density(self, filters: Filters, edges: Sequence[datetime]) -> list[int]:
        return charts.density(self._db, filters, edges)

    def labels(self, filters: Filters, by: Literal["type", "tag"]) -> Labels:
        return charts.labels(self._db, filters, by)

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        around = self._known.around
        missing = [key for key in keys if key not in around]
        if missing:
            around.update(reads.neighbours(self._db, missing))
        return {key: beside for key in keys if (beside := around.get(key))}

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        return reads.tags_among(self._db, words, namespace)

    def first_vectors(self, keys: Sequence[int]) -> dict[int, bytes]:
        if self._active is None or not keys:
            return {}
        return context.first_vectors(self._db, self._active[0], self._filed(keys))

    def embedded_keys(self, after: int, limit: int) -> list[int]:
        self._db.reach_all()
        return [] if self._active is None else queue.embedded_keys(self._db, self._active[0], after, limit)

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        number = self._number(space)
        if number is None:
            return []
        self._db.reach(filters.namespace)
        found = nearest.nearest(self._db, number, vector, self._narrowed(filters), limit)
        self._known.namespaces.update((match.key, filters.namespace) for match in found)
        return found

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        number = self._number(space)
        return [] if number is None or not keys else nearest.compare(self._db, number, vector, self._filed(keys))

    def tokenizer(self) -> Tokenize:
        return of_this_thread()

    def languages(self, namespace: str) -> tuple[str, ...]:
        return keyword_search.languages(self._index(namespace))

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        index = self._index(filters.namespace)
        return keyword_search.keyword_search(index, index.search(self._narrowed(filters)), query, limit)

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        return keyword_search.document_frequencies(self._index(namespace), words)

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        number = self._number(space)
        around = self.neighbours(keys)
        if number is None or not around:
            return {}
        return context.contextual_similarity(self._db, number, vector, self._filed(around), around, shares)

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        number = self._number(space)
        if number is None:
            return BackgroundScores(0, ())
        self._db.reach(namespace)
        return context.background_scores(self._db, number, vector, self._narrowed(Filters(namespace)), count)

    def space(self) -> Space | None:
        return self._active[1] if self._active else None

    def queue(self, namespace: str | None) -> QueueCounts:
        return queue.counts(self._db, namespace)

    @property
    def _active(self) -> tuple[int, Space] | None:
        if not self._looked:  # no cached_property: before Python 3.12 all threads wait for one that asks
            self._looked, self._space = True, active_space(self._db)
        return self._space

    def _number(self, space: Space) -> int | None:
        """Return the number of the active space; None before the first vector.

        Raises:
            SpaceMismatchError: `space` is another one.
        """
        if self._active is None:
            return None
        number, stored = self._active
        check_space(stored, space)
        return number

    def _index(self, namespace: str) -> PartitionTerms:
        partitions = self._known.partitions
        self._db.reach(namespace)
        if namespace not in partitions:
            partitions[namespace] = caches_of(self._db, namespace)
        return PartitionTerms(self._db, (namespace, self._of_documents), partitions[namespace][self._of_documents])

    def _filed(self, keys: Collection[int]) -> dict[str, list[int]]:
        """Return memories by their namespaces, where their vectors lie."""
        known = self._known.namespaces
        missing = [key for key in keys if key not in known]
        if missing:
            known.update(nearest.namespaces_of(self._db, missing))
        filed: dict[str, list[int]] = defaultdict(list)
        for key in keys:
            if key in known:
                filed[known[key]].append(key)
        return filed

    def _narrowed(self, filters: Filters) -> Filters:
        return replace(filters, documents=self._of_documents)
