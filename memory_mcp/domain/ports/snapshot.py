"""What a store holds at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

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

T = TypeVar("T")


class Snapshot(Protocol):
    """Answers questions about one moment; valid only inside the `read` that gave it.

    A vector is little-endian 32-bit floats, one after another; a key is the number that the store gave a memory.
    """

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        ...

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        """Return when the memories of these keys that still exist were created, and how long they are.

        A content of at most `most_bytes` (UTF-8) comes with it.
        """
        ...

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best chunk is nearest by cosine, best first.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories, those without a vector left out, in no order.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    def tokenizer(self) -> Tokenize:
        """Return what makes the terms of this store, to analyse texts with as `search.lexical` does."""
        ...

    def languages(self, namespace: str) -> tuple[str, ...]:
        """Return the languages but English that live memories of a namespace are written in.

        They are of `search.lexical.stems.LANGUAGES`, in that order.
        """
        ...

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories that hold terms of the query and all of its phrases, best first by BM25.

        Raises:
            InvalidArgumentError: a filter on metadata is none.
        """
        ...

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        """Return how many live memories of a namespace hold each of these words, in any form but as a prefix.

        One that holds two forms of a word counts twice, up to all memories.
        """
        ...

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return up to two live memories on each side of each one in its conversation, by (created_at, key).

        A memory without a conversation is absent.
        """
        ...

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        """Return the cosine (-1 to 1) to each memory's meaning among its neighbours.

        That is the direction of its nearest chunk and, at the weight that `shares` has for its distance, of the first
        chunk of each neighbour. A share is above 0 and a multiple of 1/16. A memory without a conversation or without a
        vector is absent.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines (-1 to 1) to `count` chunks of a namespace, chosen evenly; to all when it has fewer.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of live memories of the namespace, in upper or lower case."""
        ...

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first; a cursor tells of no namespace but the filters' own.

        Raises:
            InvalidArgumentError: the cursor is none of this store's.
        """
        ...

    def space(self) -> Space | None:
        """Return the space of the store's vectors; None before the first."""
        ...

    def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors, in one namespace or in all."""
        ...


class Snapshots(Protocol):
    """Reads while others write."""

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Run a function over a snapshot in one of the store's readers, and return what it returns.

        The function must not wait for anything else; several may run at the same time, each with a snapshot of its own.
        Work that `is_short`, unlike a search, waits its turn rather than have another reader opened for it.
        """
        ...
