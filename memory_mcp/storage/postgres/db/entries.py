"""What the indexes of a memory are told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memory_mcp.domain.models import DOCUMENT, Memory


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
        """The partition as `Session.counted` names it."""
        return self.namespace, self.is_document

    def changed(self, memory_type: str, content: str) -> IndexEntry:
        """Return the entry after an update."""
        return replace(self, is_document=memory_type == DOCUMENT, content=content)
