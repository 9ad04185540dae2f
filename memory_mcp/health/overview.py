"""What there is at a glance, in figures; `health/report` says what is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import DaemonStatus, Guard, QueueCounts, Totals
from memory_mcp.domain.ports import Embedder, RecordsAndIndex
from memory_mcp.health.report import Health, Report


@dataclass(frozen=True, slots=True)
class Figures:
    """What this process knows without asking the daemon."""

    totals: Totals | None
    """None where the store cannot be read; the queue likewise."""
    queue: QueueCounts | None
    guard: Guard


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one glance."""

    report: Report
    figures: Figures
    served: DaemonStatus | None
    """None where the daemon does not answer."""


class Status:
    """Asks the store and the embedder."""

    def __init__(self, store: RecordsAndIndex, embedder: Embedder, health: Health) -> None:
        self._store = store
        self._embedder = embedder
        self._health = health

    async def figures(self) -> Figures:
        """Count, of all namespaces together."""
        try:
            return Figures(await self._store.totals(), await self._store.queue(None), self._embedder.guard())
        except StoreError:
            return Figures(None, None, self._embedder.guard())

    async def overview(self) -> Overview:
        """Ask everybody at once; nobody is waited for longer than the deadline of `Info`."""
        report, figures, served = await asyncio.gather(
            self._health.report(None), self.figures(), self._embedder.served()
        )
        return Overview(report, figures, served)
