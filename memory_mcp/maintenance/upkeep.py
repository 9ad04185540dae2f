"""Periodic upkeep of a store: purging, pruning the change log, backups, tidying."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from memory_mcp.domain.checks import READ_ONLY, Inquiry, View, skipped
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import Maintainable, SupportsTidy
from memory_mcp.health.registry import Registry
from memory_mcp.logger import Logger
from memory_mcp.maintenance.audit import AuditTrail
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.leases import Lease

RETENTION: Final = timedelta(days=30)
"""How long a deleted memory can be restored."""
KEEP_CHANGES: Final = timedelta(days=30)
FIRST_S: Final = 60.0
"""Seconds after the start, so that a short-lived client does not wait for a backup."""
EVERY_S: Final = 3600.0

LEASE: Final = "upkeep"
LEASE_S: Final = 600.0

RESTORE: Final = "make room on the disk, or restore the latest backup: memory-mcp restore"

log = Logger(__name__)


class Upkeep:
    """Upkeep by one running front at a time.

    Args:
        keep_changes: how long the change log keeps a write; a later reader has to start over.
        audit: knows itself how long it keeps a line.
    """

    def __init__(
        self,
        store: Maintainable,
        backups: Backups | None,
        *,
        keep_changes: timedelta = KEEP_CHANGES,
        audit: AuditTrail | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._backups = backups
        self._keep_changes = keep_changes
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._due_at = monotonic() + FIRST_S
        self._trouble = ""
        """Why the last attempt failed."""
        self._lease = Lease(store, LEASE)

    async def run_if_due(self) -> None:
        """Do what is due, once an hour.

        Raises:
            StoreError: something failed; it is retried in an hour.
        """
        if self._monotonic() < self._due_at:
            return
        self._due_at = self._monotonic() + EVERY_S
        if not await self._lease.take(LEASE_S):
            return
        try:
            await self._do()
        except StoreError as error:
            self._trouble = str(error)
            raise
        finally:
            await self._lease.give_back()
        self._trouble = ""

    def finding(self) -> Finding:
        """Say whether the last try failed."""
        if not self._trouble:
            return Finding(Condition.OK, "well", detail="nothing of it has failed")
        cause = f"the store could not be purged, backed up or tidied: {self._trouble}"
        return Finding(Condition.DEGRADED, "failing", cause, RESTORE)

    async def _do(self) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if purged := await _until_none(self._store.purge, now - RETENTION):
            log.info("purged memories deleted long ago", memories=purged)
        if pruned := await _until_none(self._store.prune_changes, now - self._keep_changes):
            log.info("pruned the change log", changes=pruned)
        if self._audit is not None and (lines := await self._audit.purge()):
            log.info("purged the audit", lines=lines)
        if self._backups is not None and (path := await self._backups.take_if_due()) is not None:
            log.info("backed up the store", path=str(path))
        if isinstance(self._store, SupportsTidy):
            await self._store.tidy()


def register(registry: Registry, upkeep: Upkeep, *, read_only: bool) -> None:
    """Register the check of the upkeep, which a front that only reads does not do."""

    async def look(inquiry: Inquiry) -> Finding:
        del inquiry
        return skipped(READ_ONLY) if read_only else upkeep.finding()

    registry.add("upkeep", look, view=View.LIVE)


async def _until_none(remove: Callable[[datetime], Awaitable[int]], before: datetime) -> int:
    """Remove a few at a time until nothing older is left; return the number removed."""
    removed = 0
    while count := await remove(before):
        removed += count
    return removed
