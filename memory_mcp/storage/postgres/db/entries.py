"""A memory as its indexes are told of it, and as it is kept from others' changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory_mcp.domain.models import DOCUMENT, Memory
from memory_mcp.storage.postgres.db.session import PgSession


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A memory as the keyword index and the vectors file it."""

    key: int
    namespace: str
    is_document: bool
    """Its partition: documents are counted and searched apart."""
    content: str

    @classmethod
    def of(cls, memory: Memory) -> IndexEntry:
        """Return a memory's entry."""
        return cls(memory.key, memory.namespace, memory.type == DOCUMENT, memory.content)

    @property
    def partition(self) -> tuple[str, bool]:
        """The partition as `PgSession.counted` names it."""
        return self.namespace, self.is_document

    def changed(self, memory_type: str, content: str) -> IndexEntry:
        """Return the entry after an update."""
        return replace(self, is_document=memory_type == DOCUMENT, content=content)


def lock(db: PgSession, keys: Sequence[int]) -> None:
    """Let nobody else change these memories until the transaction ends.

    A statement that waits for a row reads that row again, but not the tags and chunks that belong to it: what is
    decided by them is asked afterwards, by another statement.
    """
    db.execute("SELECT FROM memories WHERE key = ANY(%s::bigint[]) ORDER BY key FOR UPDATE", (list(keys),))
