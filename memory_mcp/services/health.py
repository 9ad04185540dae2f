"""One answer to "how are you": every part says what was found, why, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import Embedder, Store

PARTS: Final = ("daemon", "breaker", "space", "store", "queue")
WORST_FIRST: Final = (Condition.FAILED, Condition.DEGRADED, Condition.OK)
UNKNOWN: Final = Finding(Condition.FAILED, "unknown", "the store cannot be read", "see store")


@dataclass(frozen=True, slots=True)
class Report:
    """The worst condition of all parts, and each part's finding."""

    status: Condition
    parts: Mapping[str, Finding]


class Health:
    """Asks the parts."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def report(self, namespace: str | None) -> Report:
        """Ask every part, the queue about one namespace or all; a part that fails is a finding, never an exception."""
        store = await self._store.findings(namespace)
        try:
            space = await self._store.space()
        except StoreError:
            space = None
        embedder = await self._embedder.findings(space.id if space else None)
        found = {**store, **embedder}
        parts = {name: found.get(name, UNKNOWN) for name in PARTS}
        found_conditions = {finding.condition for finding in parts.values()}
        return Report(next(condition for condition in WORST_FIRST if condition in found_conditions), parts)
