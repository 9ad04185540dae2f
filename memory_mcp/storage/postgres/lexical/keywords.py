"""Writes the keyword index: the terms of live memories, by partition."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import Session


def enter(db: Session, entries: Sequence[IndexEntry]) -> None:
    """Add memories to the index."""
    del db, entries


def leave(db: Session, entries: Sequence[IndexEntry]) -> None:
    """Remove memories from the index; each entry is as it was entered."""
    del db, entries
