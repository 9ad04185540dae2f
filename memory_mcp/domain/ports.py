"""What the services need from outside: a store that never embeds, and an embedder that never stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from memory_mcp.domain.embedding import Embedder as Embedder  # noqa: PLC0414 - the ports are imported from here
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import (
    BackgroundScores,
    Change,
    Chunk,
    DocumentFrequencies,
    Embedded,
    Event,
    Filters,
    Finding,
    KeywordMatches,
    Match,
    Memory,
    MissedChanges,
    MissingVectors,
    Neighbours,
    NewMemory,
    Page,
    PendingChunk,
    QueueCounts,
    Record,
    Revision,
    Space,
    Statistics,
    Stored,
    Totals,
)

T = TypeVar("T")


class Upkeep(Protocol):
    """What keeps a store whole for years: other spaces, copies, checks, and the log of its changes."""

    async def others(self) -> list[Space]:
        """Return the spaces that hold vectors but are not the store's."""
        ...

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        """Return the first live memories after this key that have no passage in the space, in order of their keys."""
        ...

    async def count_missing_vectors(self, space: Space) -> int:
        """Count the live memories that have no passage in the space."""
        ...

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        """Give memories their passages in a space that need not be the store's; each has a vector or an error.

        What was deleted, rewritten or filled meanwhile is passed over.
        """
        ...

    async def activate_space(self, space: Space) -> bool:
        """Make the space the store's, at once for everyone, if no live memory lacks vectors in it; say whether it is.

        The old space stays as it is, but for what waited for vectors in it.
        """
        ...

    async def drop_space(self, space: Space) -> None:
        """Remove the vectors of a space.

        Raises:
            ConflictError: it is the store's.
        """
        ...

    async def purge(self, before: datetime) -> int:
        """Remove for good what was deleted before a moment, some hundred at a time; return how many, 0 at the end."""
        ...

    async def generation(self) -> int:
        """Return a number that grows with every write."""
        ...

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        """Return the first writes after this generation, in order; MissedChanges once some of them were pruned."""
        ...

    async def prune_changes(self, before: datetime) -> int:
        """Forget the writes before a moment, about a thousand at a time; return how many, 0 at the end.

        The latest write stays, however old it is: the store's generation never gets smaller.
        """
        ...

    async def export(self, after: int, limit: int) -> list[Record]:
        """Return the first live memories after this key, in order of their keys."""
        ...

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        """Write exported memories in one transaction, with their ids, times, revisions, tags and conversations.

        A memory that is there already, the same under the same id, is not written again. Another content under its id,
        other fields, tags that it lacks, or that it was deleted are a conflict. Where the id may be numbered, another
        content gives the new memory the first id with a number that is free.
        """
        ...

    async def verify(self) -> list[str]:
        """Return a sentence for everything in the store that does not agree; nothing is changed."""
        ...

    async def backup(self, target: Path) -> None:
        """Write a copy of one moment to a file that is not there yet, and verify it; writes go on meanwhile."""
        ...

    async def tidy(self) -> None:
        """Do what a store does for itself now and then; nothing that is kept changes."""
        ...

    async def restore(self, source: Path, aside: Path) -> None:
        """Replace everything by a backup, for all fronts at once, after a copy of what was there went to `aside`.

        The store's generation grows all the same. Nothing is changed when the backup is none or does not agree.
        """
        ...


class Snapshot(Protocol):
    """What a store holds at one moment; the methods are the store's of the same names, for work inside `read`."""

    def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys."""
        ...

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        ...

    def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return what is nearest."""
        ...

    def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these."""
        ...

    def keyword_search(self, query: str, filters: Filters, limit: int) -> KeywordMatches:
        """Return what holds words of the query."""
        ...

    def document_frequencies(self, query: str, namespace: str) -> DocumentFrequencies:
        """Return how common the words are."""
        ...

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies beside each one."""
        ...

    def contextual_similarity(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosines among neighbours."""
        ...

    def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return cosines to a few."""
        ...

    def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return which words are tags."""
        ...

    def space(self) -> Space | None:
        """Return the space of the vectors."""
        ...

    def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits."""
        ...


class Store(Upkeep, Protocol):
    """Keeps memories, their keyword index, their passages and vectors, and what changed.

    Every method may raise StoreError. A write is on disk when its call returns.
    """

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Write memories in one transaction; an exact duplicate only adds its tags to the memory that is there.

        A duplicate has the same namespace, conversation and NFC text, and no id, created_at, type or metadata of its
        own that differs. Of several such memories the first counts. In a conversation only the memory just before the
        new one counts, in the order of created_at, then arrival; where the new one has a created_at of its own, so does
        any of that created_at which was there before the call. A duplicate that would give a memory more than MAX_TAGS
        tags is a conflict. A known id with another content, or with a field of
        its own that differs, is a conflict.

        Passages without a vector, or with one of another space than the store's, are queued as pending. The
        first vectors ever decide the store's space.
        """
        ...

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory of this namespace, else of any other if `any_namespace` says so.

        Raises:
            NotFoundError: there is none, or it was deleted.
        """
        ...

    async def revisions(self, memory: Memory) -> list[Revision]:
        """Return what the memory was before, oldest first."""
        ...

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        """Replace fields and keep the old revision; `embedded` are the passages of a changed content.

        A change that changes nothing makes no revision.

        Raises:
            NotFoundError: the memory is gone.
            ConflictError: its revision is not the expected one.
        """
        ...

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        """Delete softly what filters let through, of the ids alone where there are some; return the ids.

        Ids are found as `get` finds them; what is found in another namespace must meet the other filters.

        Raises:
            NotFoundError: one of the ids is not there; nothing was deleted.
        """
        ...

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory that was deleted, of this namespace, else of any other if `any_namespace` says so.

        Raises:
            NotFoundError: there is none, or it was purged.
        """
        ...

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        """Bring a deleted memory back as it was, into every index.

        Raises:
            NotFoundError: it is not deleted, or was purged.
        """
        ...

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first; a cursor tells of no namespace but the filters' own.

        Raises:
            InvalidArgumentError: the cursor is none of this store's.
        """
        ...

    async def read(self, work: Callable[[Snapshot], T]) -> T:
        """Do work that asks several things, all of them of one moment; it must not wait for anything else."""
        ...

    async def fetch(self, keys: Sequence[int]) -> dict[int, Memory]:
        """Return the memories of these keys that still exist."""
        ...

    async def nearest(self, vector: bytes, space: Space, filters: Filters, limit: int) -> list[Match]:
        """Return the memories whose best passage is nearest by cosine, best first.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def compare(self, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
        """Return what `nearest` would say of these memories, those without a vector left out, in no order.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def keyword_search(self, query: str, filters: Filters, limit: int) -> KeywordMatches:
        """Return the memories that hold words of the query and all phrases that it has in quotes, best first by BM25.

        Raises:
            InvalidArgumentError: a filter on metadata is none.
        """
        ...

    async def document_frequencies(self, query: str, namespace: str) -> DocumentFrequencies:
        """Return how many memories of a namespace hold each word of the query that says what it is about.

        A word counts in each of its forms, as in `matching`.
        """
        ...

    async def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return up to two live memories on each side of each one in its conversation, by (created_at, key).

        A memory without a conversation is absent.
        """
        ...

    async def contextual_similarity(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosine (-1 to 1) to each memory's meaning among its neighbours.

        That is the direction of its nearest passage and, at half and quarter weight, of the first passage of each
        neighbour. A memory without a conversation or without a vector is absent.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def background_scores(self, vector: bytes, space: Space, namespace: str, count: int) -> BackgroundScores:
        """Return the cosines (-1 to 1) to `count` passages of a namespace, chosen evenly; to all when it has fewer.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of live memories of the namespace, in upper or lower case."""
        ...

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        """Count what a namespace holds, with its most used tags."""
        ...

    async def totals(self) -> Totals:
        """Count what the store holds."""
        ...

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        """Return the first tags of live memories of the namespace that begin so, in upper or lower case, in order.

        Each tag is spelled as the first memory that has it spells it.
        """
        ...

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        """Return the first namespaces with live memories that begin so, in order."""
        ...

    async def space(self) -> Space | None:
        """Return the space of the store's vectors; None before the first."""
        ...

    async def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors, in one namespace or in all."""
        ...

    async def pending(self, limit: int) -> list[PendingChunk]:
        """Return the oldest passages that wait for a vector."""
        ...

    async def retry_failed(self, made_by: str | None) -> int:
        """Queue the passages of the store's space again that were refused a vector; return how many.

        Args:
            made_by: passages whose error ends with this in brackets stay refused: what computes now refused them.
                None is nothing, so that all are queued.
        """
        ...

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        """Give queued passages their vectors; each passage id is replaced by the passages that became of it."""
        ...

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease; False while another owner's has not run out."""
        ...

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Say how the store is, by part; of the queue, what waits in one namespace or in all."""
        ...

    async def close(self) -> None:
        """Let go of the file."""
        ...
