"""One answer to "how are you": every part says what was found, why, and what fixes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from memory_mcp.background import Background
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import Embedder, Store
from memory_mcp.maintenance.upkeep import Upkeep

PARTS: Final = ("daemon", "breaker", "space", "store", "queue")
WORST_FIRST: Final = (Condition.FAILED, Condition.DEGRADED, Condition.OK)
RESTORE: Final = "make room on the disk, or restore the latest backup: memory-mcp restore"
RESTART: Final = "restart the client; if it goes on, report what the log says of it"
UNKNOWN: Final = Finding(Condition.FAILED, "unknown", "the store cannot be read", "see store")


@dataclass(frozen=True, slots=True)
class Report:
    """The worst condition of all parts, and each part's finding."""

    status: Condition
    parts: Mapping[str, Finding]


class Health:
    """Asks the parts."""

    def __init__(self, store: Store, embedder: Embedder, upkeep: Upkeep, background: Sequence[Background] = ()) -> None:
        self._store = store
        self._embedder = embedder
        self._upkeep = upkeep
        self._background = background

    async def report(self, namespace: str | None) -> Report:
        """Ask every part, the queue about one namespace or all; a part that fails is a finding, never an exception."""
        store = await self._store.findings(namespace)
        if store["store"].condition is Condition.OK:
            store["store"] = self._with_trouble(store["store"])
        try:
            space = await self._store.space()
        except StoreError:
            space = None
        embedder = await self._embedder.findings(space.id if space else None)
        found = {**store, **embedder}
        parts = {name: found.get(name, UNKNOWN) for name in PARTS}
        return Report(worst(finding.condition for finding in parts.values()), parts)

    def _with_trouble(self, store: Finding) -> Finding:
        """Return the store's finding, degraded where its upkeep or a loop around it keeps failing."""
        if self._upkeep.trouble:
            cause = f"it could not be backed up: {self._upkeep.trouble}"
            return replace(store, condition=Condition.DEGRADED, cause=cause, fix=RESTORE)
        if trouble := "; ".join(filter(None, (loop.trouble for loop in self._background))):
            return replace(store, condition=Condition.DEGRADED, cause=trouble, fix=RESTART)
        return store


def worst(conditions: Iterable[Condition]) -> Condition:
    """Return the worst of them; OK when there is none."""
    found = set(conditions)
    return next((condition for condition in WORST_FIRST if condition in found), Condition.OK)
