"""The audit of what is done over HTTP; an optional port of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from memory_mcp.domain.audit import AuditFilters, AuditLine


class AuditLog(Protocol):
    """Keeps lines that are never changed; every method may raise StoreError."""

    async def append(self, lines: Sequence[AuditLine]) -> None:
        """Write lines in one transaction, in this order; on return they are on disk."""
        ...

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        """Return the newest lines that match, newest first; only those with a smaller key than `before`."""
        ...

    async def purge(self, before: datetime) -> int:
        """Delete the oldest lines from before a moment, a bounded number at a time; return how many."""
        ...


@runtime_checkable
class SupportsAudit(Protocol):
    """Can keep an audit."""

    @property
    def audit(self) -> AuditLog:
        """The audit in the same store as the memories."""
        ...
