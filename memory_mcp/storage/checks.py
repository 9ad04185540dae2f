"""Health checks of an open store, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping

from memory_mcp.domain.checks import STORE_UNREADABLE, Inquiry, View
from memory_mcp.domain.models import Finding
from memory_mcp.domain.ports import Store
from memory_mcp.health.registry import Registry


def register(registry: Registry, store: Store) -> None:
    """Register the checks of the store that is open."""

    async def look(inquiry: Inquiry) -> Mapping[str, Finding]:
        found = await store.findings(inquiry.namespace)
        return {"store": found["store"], "queue": found.get("queue", STORE_UNREADABLE)}

    registry.add_several(("store", "queue"), look, view=View.LIVE)
