"""A fake of the audit: a list of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.storage.audit import storable


class FakeAudit:
    """See `domain.ports.AuditLog`."""

    def __init__(self) -> None:
        self.kept: list[AuditLine] = []
        self._last = 0

    async def append(self, lines: Sequence[AuditLine]) -> None:
        """Keep lines."""
        for line in lines:
            self._last += 1
            self.kept.append(replace(line, key=self._last, ids=tuple(storable(each) for each in line.ids)))

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        """Return the newest that match."""
        found = [line for line in reversed(self.kept) if _matches(line, filters)]
        return [line for line in found if before is None or line.key < before][:limit]

    async def purge(self, before: datetime) -> int:
        """Forget all that are older."""
        kept = [line for line in self.kept if line.at >= before]
        gone, self.kept = len(self.kept) - len(kept), kept
        return gone


def _matches(line: AuditLine, filters: AuditFilters) -> bool:
    return (
        (filters.after is None or line.at >= filters.after)
        and (filters.before is None or line.at < filters.before)
        and filters.principal in {None, line.principal, line.name}
        and filters.request in {None, line.request}
        and filters.kind in {None, line.kind}
        and (filters.memory_id is None or filters.memory_id in line.ids)
    )
