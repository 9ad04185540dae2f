"""A fake of a whole store: its ports on the same shelves."""

from __future__ import annotations

import time
from collections.abc import Callable

from memory_mcp.domain.models import Condition, Finding
from tests.fakes.audit import FakeAudit
from tests.fakes.changes import FakeChanges
from tests.fakes.embedding_index import FakeEmbeddingIndex
from tests.fakes.jobs import FakeDocumentStore
from tests.fakes.leases import FakeLeases
from tests.fakes.optional import FakeOptional
from tests.fakes.records import FakeRecords
from tests.fakes.shelves import Shelves
from tests.fakes.snapshot import FakeSnapshots


class FakeStore(FakeRecords, FakeSnapshots, FakeEmbeddingIndex, FakeChanges, FakeLeases, FakeOptional):
    """Memories in this object; see `domain.ports.Store`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(Shelves(clock))
        self.documents = FakeDocumentStore(self.shelves)
        self.audit = FakeAudit()

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Say that all is well but what waits."""
        counts = await self.read(lambda it: it.queue(namespace))
        queue = Finding(Condition.OK, "empty")
        if counts.pending or counts.failed:
            queue = Finding(Condition.DEGRADED, "failed" if counts.failed else "pending", counts.last_error or "waits")
        return {"store": Finding(Condition.OK, "open"), "queue": queue}

    async def close(self) -> None:
        """Nothing to let go of."""
