"""Chunks and their vectors, which are always written and removed together."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.domain.models import Embedded
from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import Session


def insert_all(db: Session, items: Sequence[tuple[IndexEntry, Embedded]]) -> list[bool]:
    """Write memories' chunks with their vectors; return of each memory whether all of its chunks have one."""
    for entry, embedded in items:
        db.run_many(
            """INSERT INTO passages (namespace, documents, key, first, last, state, error)
               VALUES (%s, %s, %s, %s, %s, %s, %s)""",
            [
                (entry.namespace, entry.is_document, entry.key, chunk.start, chunk.end, "pending", None)
                for chunk in embedded.chunks
            ],
        )
    return [not embedded.chunks for _, embedded in items]


def drop_of(db: Session, entries: Sequence[IndexEntry]) -> None:
    """Remove memories' chunks, and their vectors in all spaces."""
    db.execute("DELETE FROM passages WHERE key = ANY(%s)", ([entry.key for entry in entries],))


def refile(db: Session, before: IndexEntry, after: IndexEntry) -> None:
    """Move a memory's chunks and vectors to another partition."""
    db.execute("UPDATE passages SET documents = %s WHERE key = %s", (after.is_document, before.key))
