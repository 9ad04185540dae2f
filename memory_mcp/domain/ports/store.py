"""A whole store."""

from __future__ import annotations

from typing import Protocol

from memory_mcp.domain.models import Finding
from memory_mcp.domain.ports.changes import Changes
from memory_mcp.domain.ports.embedding_index import EmbeddingIndex
from memory_mcp.domain.ports.leases import Leases
from memory_mcp.domain.ports.records import Records
from memory_mcp.domain.ports.snapshot import Snapshots


class Store(Records, Snapshots, EmbeddingIndex, Changes, Leases, Protocol):
    """Keeps memories, their keyword index, their chunks and vectors, and the change log.

    Every method may raise StoreError. A write is on disk when its call returns.
    """

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Return the store's health by part; the queue's for one namespace or all."""
        ...

    async def close(self) -> None:
        """Close the store."""
        ...


class RecordsAndIndex(Records, Snapshots, EmbeddingIndex, Protocol):
    """For who writes memories together with their vectors, and lists them."""


class Maintainable(Records, Changes, Leases, Protocol):
    """For services that maintain memories and the change log, one process at a time."""


class IndexAndLeases(Snapshots, EmbeddingIndex, Leases, Protocol):
    """For who works on vectors one process at a time."""


class ChartedStore(Snapshots, Changes, Leases, Protocol):
    """For who draws all memories, one process at a time."""
