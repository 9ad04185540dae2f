"""Sections: memories that have a place in a document."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.storage.postgres.db.session import Session


def places(db: Session, keys: Sequence[int]) -> dict[int, SectionPlace]:
    """Return where these memories lie in documents; those that are no sections are absent."""
    del db, keys
    return {}


def forget(db: Session, keys: Sequence[int]) -> None:
    """Forget the places of memories that are purged; a document that loses its last one is to be read anew."""
    del db, keys
