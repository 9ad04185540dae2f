"""Writes the audit: what is written at once, what is read a moment later and together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from memory_mcp.background import Background
from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.domain.checks import Inquiry, View
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import AuditLog, Store, SupportsAudit
from memory_mcp.health.registry import Registry
from memory_mcp.logger import Logger
from memory_mcp.settings import Settings

EVERY_S: Final = 1.0
"""Between two writes of lines that need not be written at once."""
MOST_WAITING: Final = 10_000
"""Lines that wait for a store that cannot be written; the oldest are lost for new ones, and counted."""
AT_ONCE: Final = 500
"""Lines of one transaction."""
KEEPS_NONE: Final = "this store keeps no audit; use SQLite or PostgreSQL"

log = Logger(__name__)


class AuditTrail:
    """The audit of one front."""

    def __init__(
        self,
        kept: AuditLog,
        *,
        days: int,
        registry: Registry,
        is_on: bool = True,
        obstacle: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Write to a store's audit.

        Args:
            kept: the store's.
            days: how long it keeps a line.
            registry: shows it from `begin` on.
            is_on: whether lines are written; old ones are listed and purged all the same.
            obstacle: why they cannot be, although it is on; empty if they can.
            clock: gives seconds since 1970.
        """
        self.is_written = is_on and not obstacle
        self._is_on = is_on
        self._obstacle = obstacle
        self._registry = registry
        self._has_begun = False
        self._kept = kept
        self._days = timedelta(days=days)
        self._clock = clock
        self._waiting: deque[AuditLine] = deque()
        self._writing: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._lost = 0
        self._cause = ""
        self.background = Background("the audit")

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def begin(self) -> None:
        """Purge old lines and have health show the audit from now on: this process serves HTTP."""
        if self._is_on and not self._has_begun:
            self._registry.add("audit", self._look, view=View.LIVE)
        self._has_begun = True

    def note(self, line: AuditLine) -> None:
        """Have a line written soon."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(line)
        self._wake.set()

    async def write(self, line: AuditLine) -> None:
        """Write a line now; if that fails it waits with the others, and health says so."""
        await self._to_the_end(self._write(line))

    async def _write(self, line: AuditLine) -> None:
        try:
            await self._kept.append([line])
        except StoreError as error:
            self._failed(error)
            self.note(line)
        except BaseException:
            self.note(line)
            raise

    async def _to_the_end(self, work: Coroutine[None, None, None]) -> None:
        """Wait for work that goes on if the caller is cancelled: whether its lines are on disk must be known."""
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.shield(task)

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        """Return the newest lines that match; raises StoreError as `AuditLog.lines` does."""
        return await self._kept.lines(filters, before=before, limit=limit)

    async def purge(self) -> int:
        """Delete what has been kept long enough; return how many lines.

        Only a server over HTTP does: other processes may be told nothing of how long a line is kept.
        """
        if not self._has_begun:
            return 0
        purged, before = 0, self.now() - self._days
        while count := await self._kept.purge(before):
            purged += count
        return purged

    async def run(self) -> None:
        """Write what waits until cancelled, and then once more."""
        try:
            await self.background.run(self._rounds)
        finally:
            await asyncio.gather(*self._writing, return_exceptions=True)
            await self._flush()
            if self._waiting:
                log.error("lines of the audit are lost, because the store cannot be written", lines=len(self._waiting))

    async def _rounds(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(EVERY_S)
            self._wake.clear()
            await self._to_the_end(self._flush())

    async def _flush(self) -> None:
        while self._waiting:
            lines = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await self._kept.append(lines)
            except StoreError as error:
                self._failed(error)
                self._waiting.extendleft(reversed(lines))
                self._wake.set()
                return
            except BaseException:
                self._waiting.extendleft(reversed(lines))
                raise
            self._cause = ""

    def _failed(self, error: StoreError) -> None:
        if not self._cause:
            log.warning("the audit cannot be written", cause=str(error))
        self._cause = str(error)

    async def _look(self, inquiry: Inquiry) -> Finding:
        del inquiry
        return self.finding()

    def finding(self) -> Finding:
        """Return whether every line is on disk."""
        if self._obstacle:
            cause = f"no audit is written: {self._obstacle}"
            remedy = "remove the obstacle, or set MCP_MEMORY_AUDIT_ENABLED=0 if no audit is wanted"
            return Finding(Condition.DEGRADED, "unwritten", cause, remedy)
        if self._lost:
            cause = f"{self._lost} lines of the audit were lost, because the store could not be written"
            return Finding(Condition.FAILED, "incomplete", cause, "note the gap, and restart the server")
        if self._cause:
            cause = f"{len(self._waiting)} lines of the audit wait for a store that cannot be written: {self._cause}"
            return Finding(Condition.DEGRADED, "waiting", cause, "mend the store before this server ends")
        return Finding(Condition.OK, "written", detail=f"lines are kept for {self._days.days} days")


class _Nowhere:
    """The audit of a store that keeps none."""

    async def append(self, lines: Sequence[AuditLine]) -> None:
        del lines
        raise StoreError(KEEPS_NONE)

    async def lines(self, filters: AuditFilters, *, before: int | None, limit: int) -> list[AuditLine]:
        del filters, before, limit
        raise StoreError(KEEPS_NONE)

    async def purge(self, before: datetime) -> int:
        del before
        return 0


def made(store: Store, registry: Registry, settings: Settings) -> AuditTrail:
    """Return the audit of a store; it registers its check when it is used."""
    kept: AuditLog = store.audit if isinstance(store, SupportsAudit) else _Nowhere()
    obstacle = KEEPS_NONE if isinstance(kept, _Nowhere) else ""
    if settings.read_only:
        obstacle = "MCP_MEMORY_READ_ONLY is set"
    is_on, days = settings.audit_enabled, settings.audit_days
    return AuditTrail(kept, days=days, registry=registry, is_on=is_on, obstacle=obstacle)
