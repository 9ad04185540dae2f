"""What the services need from outside: a store that never embeds, and an embedder that never stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import (
    Change,
    Embedded,
    Embedding,
    Filters,
    Finding,
    Lane,
    Match,
    Matching,
    Memory,
    Neighbours,
    NewMemory,
    Page,
    Passage,
    PendingPassage,
    QueueCounts,
    Revision,
    Sample,
    Space,
    Stored,
    Task,
)

T = TypeVar("T")


class Embedder(Protocol):
    """Turns texts into vectors; every call has a budget in seconds and never takes longer."""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed up to 256 texts, the longest cut to what the model reads.

        Raises:
            SpaceMismatchError: the embedder serves another space than `expected_space`.
            EmbedderError: no vectors could be had.
        """
        ...

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Say how the embedder and what guards it are, by part; "space" only where it serves another one."""
        ...

    def retry_in_s(self) -> float | None:
        """Seconds until the embedder may be tried again; None while nothing keeps it from being called."""
        ...

    async def probe(self) -> None:
        """Try once whether the embedder is back, when `retry_in_s` has run out; never raises EmbedderError."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Moment(Protocol):
    """What a store holds at one moment; the methods are the store's of the same names, for work inside `at_once`."""

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

    def matching(self, query: str, filters: Filters, limit: int) -> Matching:
        """Return what holds words of the query."""
        ...

    def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return what lies beside each one."""
        ...

    def in_context(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosines among neighbours."""
        ...

    def sample(self, vector: bytes, space: Space, namespace: str, count: int) -> Sample:
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


class Store(Protocol):
    """Keeps memories, their keyword index, their passages and vectors, and what changed.

    Every method may raise StoreError. A write is on disk when its call returns.
    """

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Write memories in one transaction; an exact duplicate only gives its tags to the first.

        Passages without a vector, or with one of another space than the store's, are queued as pending. The
        first vectors ever decide the store's space.
        """
        ...

    async def get(self, memory_id: str, namespace: str) -> Memory:
        """Return a memory of this namespace, else of any other.

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

    async def delete(self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool) -> list[str]:
        """Delete softly by ids, else by filters; return the ids.

        Raises:
            NotFoundError: one of the ids is not there; nothing was deleted.
        """
        ...

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first.

        Raises:
            InvalidArgumentError: the cursor is none of this store's.
        """
        ...

    async def at_once(self, work: Callable[[Moment], T]) -> T:
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

    async def matching(self, query: str, filters: Filters, limit: int) -> Matching:
        """Return the memories that hold words of the query and all phrases that it has in quotes, best first by BM25.

        Raises:
            InvalidArgumentError: a filter on metadata is none.
        """
        ...

    async def neighbours(self, keys: Sequence[int]) -> dict[int, Neighbours]:
        """Return up to two live memories on each side of each one in its conversation, by (created_at, key).

        A memory without a conversation is absent.
        """
        ...

    async def in_context(self, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
        """Return the cosine (-1 to 1) to each memory's meaning among its neighbours.

        That is the direction of its nearest passage and, at half and quarter weight, of the first passage of each
        neighbour. A memory without a conversation or without a vector is absent.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def sample(self, vector: bytes, space: Space, namespace: str, count: int) -> Sample:
        """Return the cosines (-1 to 1) to `count` passages of a namespace, chosen evenly; to all when it has fewer.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        ...

    async def tags_among(self, words: Sequence[str], namespace: str) -> frozenset[str]:
        """Return those words that are tags of live memories of the namespace, written alike."""
        ...

    async def space(self) -> Space | None:
        """Return the space of the store's vectors; None before the first."""
        ...

    async def queue(self, namespace: str | None) -> QueueCounts:
        """Count what waits for vectors, in one namespace or in all."""
        ...

    async def pending(self, limit: int) -> list[PendingPassage]:
        """Return the oldest passages that wait for a vector."""
        ...

    async def attach(self, space: Space, results: Sequence[tuple[int, Sequence[Passage]]]) -> None:
        """Give queued passages their vectors; each passage id is replaced by the passages that became of it."""
        ...

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or prolong a lease; False while another owner's has not run out."""
        ...

    async def findings(self) -> dict[str, Finding]:
        """Say how the store is, by part."""
        ...

    async def close(self) -> None:
        """Let go of the file."""
        ...
