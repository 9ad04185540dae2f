"""The memories themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import (
    Change,
    Embedded,
    Filters,
    Memory,
    NewMemory,
    Record,
    Revision,
    Statistics,
    Stored,
    Totals,
)


class Records(Protocol):
    """Writes memories, finds them by id and counts them; every index follows in the same transaction."""

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Write memories in one transaction; an exact duplicate only adds its tags to the existing memory.

        A duplicate has the same namespace, conversation and NFC text, and no given id, created_at, type or metadata
        that differs. Among several such memories the first counts. In a conversation only the memory just before the
        new one counts, ordered by created_at, then arrival; if the new one was given a created_at, any memory with
        that created_at from before the call counts too. A duplicate that would give a memory more than MAX_TAGS
        tags is a conflict. So is a known id with other content or a given field that differs.

        Chunks without a vector, or with one of another space than the active one, are queued as pending. The
        first vectors ever decide the store's space.
        """
        ...

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory from this namespace or, with `any_namespace`, else from any other.

        Raises:
            NotFoundError: it does not exist or was deleted.
        """
        ...

    async def revisions(self, memory: Memory, *, before: int | None = None, limit: int | None = None) -> list[Revision]:
        """Return the earlier revisions, oldest first: those before one, and the last of them if there is a limit."""
        ...

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        """Replace fields and keep the old revision; `embedded` has the chunks of changed content.

        A change without effect makes no revision.

        Raises:
            NotFoundError: the memory is gone.
            ConflictError: its revision is not the expected one.
        """
        ...

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        """Soft-delete the memories that match the filters, only among the ids if there are any; return their ids.

        Ids are resolved as in `get`; a memory in another namespace must match the remaining filters.

        Raises:
            NotFoundError: one of the ids does not exist; nothing was deleted.
        """
        ...

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a deleted memory from this namespace or, with `any_namespace`, else from any other.

        Raises:
            NotFoundError: it does not exist or was purged.
        """
        ...

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        """Restore a deleted memory as it was, in every index.

        Raises:
            NotFoundError: it is not deleted, or was purged.
        """
        ...

    async def purge(
        self, before: datetime, *, namespace: str | None = None, memory_ids: Sequence[str] | None = None
    ) -> int:
        """Remove memories deleted before a moment for good, some hundred at a time; return the number, 0 when done.

        With a namespace, or with ids, only those go.
        """
        ...

    async def export(self, after: int, limit: int) -> list[Record]:
        """Return the first live memories after this key, in key order."""
        ...

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        """Write exported memories in one transaction, with their ids, times, revisions, tags and conversations.

        A memory that already exists unchanged under its id is not written again. It is a conflict if the existing one
        has other content or fields, lacks tags, or was deleted. If the id may be numbered, a memory with other content
        gets the first free id with a number. If it replaces what was deleted, a deleted memory is purged for it.
        """
        ...

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        """Return the counts of a namespace, with its most used tags."""
        ...

    async def totals(self) -> Totals:
        """Return the counts of the store."""
        ...

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        """Return the first tags of the namespace's live memories with this prefix, in any case, in order.

        Each tag has the spelling of the first memory with it.
        """
        ...

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        """Return the first namespaces of live memories with this prefix, in order."""
        ...
