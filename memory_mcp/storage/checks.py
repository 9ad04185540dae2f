"""Health checks of an open store, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from memory_mcp.domain.checks import STORE_UNREADABLE, Inquiry, View
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import Store
from memory_mcp.health.registry import Registry

RESTORE: Final = "free space on the disk, or restore the latest backup: memory-mcp restore"
RESTART: Final = "restart the client; if this recurs, report what the log says about it"


def register(
    registry: Registry, store: Store, backup_trouble: Callable[[], str], loop_trouble: Callable[[], str]
) -> None:
    """Register the checks of a store.

    Args:
        registry: of the running process.
        store: the open store.
        backup_trouble: returns why the last backup failed; empty if it did not.
        loop_trouble: returns which background loop keeps failing; empty if none does.
    """

    async def look(inquiry: Inquiry) -> Mapping[str, Finding]:
        found = await store.findings(inquiry.namespace)
        return {
            "store": _with_trouble(found["store"], backup_trouble(), loop_trouble()),
            "queue": found.get("queue", STORE_UNREADABLE),
        }

    registry.add_several(("store", "queue"), look, view=View.LIVE)


def _with_trouble(store: Finding, of_backup: str, of_loops: str) -> Finding:
    if store.condition is not Condition.OK or not (of_backup or of_loops):
        return store
    if of_backup:
        cause = f"the last backup failed: {of_backup}"
        return replace(store, condition=Condition.DEGRADED, cause=cause, fix=RESTORE)
    return replace(store, condition=Condition.DEGRADED, cause=of_loops, fix=RESTART)
