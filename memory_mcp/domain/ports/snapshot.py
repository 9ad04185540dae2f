"""A consistent view of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeVar

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

T = TypeVar("T")


class SnapshotOfDocuments(Protocol):
    """The part of a snapshot that knows documents."""

    def documents(self) -> Snapshot:
        """Return the same moment, with documents for what is counted and searched; see `Snapshot`."""
        ...

    def section_places(self, keys: Sequence[int]) -> dict[int, SectionPlace]:
        """Return where these memories lie in documents; those that are no sections are absent."""
        ...


class SnapshotForCharts(Protocol):
    """The part of a snapshot that counts and places many memories without reading them."""

    def extent(self, filters: Filters) -> tuple[datetime, datetime] | None:
        """Return when the first and the last of the memories were created; None if there are none."""
        ...

    def density(self, filters: Filters, edges: Sequence[datetime]) -> list[int]:
        """Return how many memories were created from each edge to just before the next; the edges ascend."""
        ...

    def labels(self, filters: Filters, by: Literal["type", "tag"]) -> list[tuple[int, str]]:
        """Return (key, label) of all the memories, by key: the type, or whichever of its tags most of them have.

        Among tags that equally many have, the first in order counts. A memory without tags has an empty label. A tag
        has the spelling of the first of these memories with it.
        """
        ...

    def embedded_keys(self, after: int, limit: int) -> list[int]:
        """Return the first live memories after this key with a vector in the active space, in order."""
        ...


class SnapshotOfLists(Protocol):
    """The part of a snapshot that lists memories page by page."""

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first; a cursor reveals nothing about other namespaces.

        Raises:
            InvalidArgumentError: the cursor is invalid.
        """
        ...

    def trash(self, namespace: str, *, limit: int, cursor: str | None) -> TrashPage:
        """Return the deleted memories of a namespace, the latest deleted first.

        Raises:
            InvalidArgumentError: the cursor is invalid.
        """
        ...


class SnapshotWithReach(Protocol):
    """The part of a snapshot that says whose memories are read by their keys.

    A key is not proof of a right to read. A store with a wall between namespaces finds by keys only what lies in
    namespaces that were named here, or asked for by filters.
    """

    def within(self, *namespaces: str) -> Snapshot:
        """Return the same moment, where memories of these namespaces are found by their keys too."""
        ...

    def everywhere(self) -> Snapshot:
        """Return the same moment, where memories of all namespaces are found by their keys: for chores."""
        ...


class Snapshot(SnapshotOfDocuments, SnapshotOfLists, SnapshotForCharts, SnapshotWithReach, Protocol):
    """Reads from one moment; valid only inside the `read` that created it.

    A vector is a sequence of little-endian 32-bit floats; a key is the store's number of a memory.

    Memories of type `document` are counted and searched apart: `nearest`, `languages`, `keyword_search`,
    `document_frequencies` and `background_scores` know either these (see `documents`) or all others.
    """

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories with these keys that still exist."""
        ...

    def outlines(self, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
        """Return when the memories of these keys that still exist were created, and how long they are.

        A content of at most `most_bytes` (UTF-8) comes with it.
        """
        ...

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best chunk is nearest by cosine, best first.

        Raises:
            SpaceMismatchError: another space is active.
        """
        ...

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would return for these memories, unordered; those without a vector are absent.

        Raises:
            SpaceMismatchError: another space is active.
        """
        ...

    def tokenizer(self) -> Tokenize:
        """Return this store's tokenizer, for `search.lexical`."""
        ...

    def languages(self, namespace: str) -> tuple[str, ...]:
        """Return the languages other than English of a namespace's live memories.

        They are from `search.lexical.stems.LANGUAGES`, in that order.
        """
        ...

    def keyword_search(self, query: KeywordQuery, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories with terms of the query and all of its phrases, best first by BM25.

        Raises:
            InvalidArgumentError: a metadata filter is invalid.
        """
        ...

    def document_frequencies(self, words: Mapping[str, QueryTerm], namespace: str) -> DocumentFrequencies:
        """Return how many live memories of a namespace contain each of these words, in any form but prefixes.

        A memory with two forms of a word counts twice, up to the total number of memories.
        """
        ...

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return up to two live neighbours on each side of each memory in its conversation, by (created_at, key).

        Memories without a conversation are absent.
        """
        ...

    def contextual_similarity(
        self, vector: bytes, space: Space, keys: Sequence[int], shares: Sequence[float]
    ) -> dict[int, float]:
        """Return the cosine (-1 to 1) to each memory's meaning in its conversation.

        That is the direction of its nearest chunk plus the first chunk of each neighbour, weighted by the share in
        `shares` for its distance. A share is above 0 and a multiple of 1/16. Memories without a conversation or a
        vector are absent.

        Raises:
            SpaceMismatchError: another space is active.
        """
        ...

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines (-1 to 1) to an even sample of `count` chunks of a namespace; to all if it has fewer.

        Raises:
            SpaceMismatchError: another space is active.
        """
        ...

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return the words that are tags of the namespace's live memories, ignoring case."""
        ...

    def first_vectors(self, keys: Sequence[int]) -> dict[int, bytes]:
        """Return the vector of each memory's first embedded chunk in the active space; those without are absent."""
        ...

    def space(self) -> Space | None:
        """Return the store's active space; None before the first vector."""
        ...

    def queue(self, namespace: str | None) -> QueueCounts:
        """Count pending and refused memories, in one namespace or all."""
        ...


class Snapshots(Protocol):
    """Reads concurrently with writes."""

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Run a function over a snapshot in one of the store's readers, and return what it returns.

        The function must not wait for anything else; several may run at the same time, each with a snapshot of its own.
        Work that `is_short`, unlike a search, waits its turn rather than have another reader opened for it.
        """
        ...
