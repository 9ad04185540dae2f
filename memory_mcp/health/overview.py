"""What there is at a glance, in figures, beside what the checks say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import BreakerStatus, DaemonStatus, QueueCounts, Totals
from memory_mcp.domain.ports import Embedder, RecordsAndIndex
from memory_mcp.health.registry import Registry, Report


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """What this process knows without asking the daemon."""

    totals: Totals | None
    """None where the store cannot be read; the queue likewise."""
    queue: QueueCounts | None
    breaker: BreakerStatus


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one glance."""

    report: Report
    figures: LocalFigures
    served: DaemonStatus | None
    """None where the daemon does not answer."""


class Status:
    """Asks the store, the embedder and the checks."""

    def __init__(self, store: RecordsAndIndex, embedder: Embedder, health: Registry) -> None:
        self._store = store
        self._embedder = embedder
        self._health = health

    async def figures(self) -> LocalFigures:
        """Count, of all namespaces together."""
        breaker = self._embedder.breaker()
        try:
            return LocalFigures(
                await self._store.totals(), await self._store.read(lambda it: it.queue(None), is_short=True), breaker
            )
        except StoreError:
            return LocalFigures(None, None, breaker)

    async def overview(self) -> Overview:
        """Ask everybody at once; nobody is waited for longer than the deadline of `Info`."""
        report, figures, served = await asyncio.gather(self._health.live(), self.figures(), self._embedder.served())
        return Overview(report, figures, served)
