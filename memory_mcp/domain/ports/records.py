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
        """Write memories in one transaction; an exact duplicate only adds its tags to the memory that is there.

        A duplicate has the same namespace, conversation and NFC text, and no id, created_at, type or metadata of its
        own that differs. Of several such memories the first counts. In a conversation only the memory just before the
        new one counts, in the order of created_at, then arrival; where the new one has a created_at of its own, so does
        any of that created_at which was there before the call. A duplicate that would give a memory more than MAX_TAGS
        tags is a conflict. A known id with another content, or with a field of
        its own that differs, is a conflict.

        Chunks without a vector, or with one of another space than the store's, are queued as pending. The
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
        """Replace fields and keep the old revision; `embedded` are the chunks of a changed content.

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

    async def purge(self, before: datetime) -> int:
        """Remove for good what was deleted before a moment, some hundred at a time; return how many, 0 at the end."""
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
