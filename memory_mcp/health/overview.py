"""The figures of `memory-mcp status`, beside the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, QueueCounts, Totals
from memory_mcp.domain.ports import Embedder, RecordsAndIndex
from memory_mcp.domain.sources import SourceFigures
from memory_mcp.health.registry import Registry, Report


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """What this process knows without asking the daemon."""

    totals: Totals | None
    """None if the store cannot be read; so is the queue."""
    queue: QueueCounts | None
    breaker: BreakerStatus
    sources: Sequence[SourceFigures] = ()
    unread: StoreError | None = None
    """Why the store cannot be read."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The report, the local figures and the daemon's status."""

    report: Report
    figures: LocalFigures
    served: DaemonStatus | None
    """None if the daemon does not answer."""


class Status:
    """Collects figures from the store, the embedder and the checks."""

    def __init__(
        self,
        store: RecordsAndIndex,
        embedder: Embedder,
        health: Registry,
        sources: Callable[[], Sequence[SourceFigures]] = tuple,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._health = health
        self._sources = sources

    @property
    def is_degraded(self) -> bool:
        """Whether calls go on without the embedder, as far as this process knows."""
        return self._embedder.breaker().state != "closed"

    async def figures(self) -> LocalFigures:
        """Return the counts of all namespaces."""
        breaker, sources = self._embedder.breaker(), self._sources()
        try:
            return LocalFigures(
                await self._store.totals(),
                await self._store.read(lambda it: it.queue(None), is_short=True),
                breaker,
                sources,
            )
        except StoreError as error:
            return LocalFigures(None, None, breaker, sources, error)

    async def overview(self) -> Overview:
        """Ask all parts concurrently; none takes longer than the deadline of `Info`."""
        report, figures, served = await asyncio.gather(self._health.live(), self.figures(), self._embedder.served())
        return Overview(_with_store(report, figures.unread), figures, served)


def _with_store(report: Report, unread: StoreError | None) -> Report:
    """Let the report say so if the store answers, but its contents cannot be read."""
    if unread is None or report.parts["store"].condition is not Condition.OK:
        return report
    found = Finding(Condition.FAILED, "unusable", *unread.told())
    return Report(Condition.FAILED, {**report.parts, "store": found})
