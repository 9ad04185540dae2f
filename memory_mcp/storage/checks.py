"""What a store that is open says of its health, whichever store it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from memory_mcp.domain.checks import STORE_UNREADABLE, Inquiry, View
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import Store
from memory_mcp.health.registry import Registry

RESTORE: Final = "make room on the disk, or restore the latest backup: memory-mcp restore"


def register(registry: Registry, store: Store, backup_trouble: Callable[[], str]) -> None:
    """Register the checks of a store; `backup_trouble` says why the last backup failed, and is empty if none did."""

    async def look(inquiry: Inquiry) -> Mapping[str, Finding]:
        found = await store.findings(inquiry.namespace)
        return {
            "store": _backed_up(found["store"], backup_trouble()),
            "queue": found.get("queue", STORE_UNREADABLE),
        }

    registry.add_several(("store", "queue"), look, view=View.LIVE)


def _backed_up(store: Finding, trouble: str) -> Finding:
    if not trouble or store.condition is not Condition.OK:
        return store
    return replace(store, condition=Condition.DEGRADED, cause=f"it could not be backed up: {trouble}", fix=RESTORE)
