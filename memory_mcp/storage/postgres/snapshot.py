"""The snapshot port over one read transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

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
from memory_mcp.storage.postgres.db.session import Session
from memory_mcp.storage.postgres.documents import sections
from memory_mcp.storage.postgres.records import reads


class PostgresSnapshot:
    """See `domain.ports.Snapshot`; its session is inside a read transaction."""

    def __init__(self, db: Session, *, of_documents: bool = False) -> None:
        self._db = db
        self._of_documents = of_documents

    def documents(self) -> PostgresSnapshot:
        return self._documents

    @cached_property
    def _documents(self) -> PostgresSnapshot:
        return PostgresSnapshot(self._db, of_documents=True)

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        return reads.fetch(self._db, keys)

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        return reads.outlines(self._db, keys, most_bytes)

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        return sections.places(self._db, keys)

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        return reads.page(self._db, filters, limit, cursor)

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        return reads.neighbours(self._db, keys)

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        return reads.tags_among(self._db, words, namespace)

    # What follows is filled by lexical/ and vectors/.

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        raise NotImplementedError

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        raise NotImplementedError

    def tokenizer(self) -> Tokenize:
        raise NotImplementedError

    def languages(self, namespace: str) -> tuple[str, ...]:
        raise NotImplementedError

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        raise NotImplementedError

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        raise NotImplementedError

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        raise NotImplementedError

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        raise NotImplementedError

    def space(self) -> Space | None:
        raise NotImplementedError

    def queue(self, namespace: str | None) -> QueueCounts:
        raise NotImplementedError

    def _narrowed(self, filters: Filters) -> Filters:
        return replace(filters, documents=self._of_documents)
