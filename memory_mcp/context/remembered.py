"""What the store knows, as evidence. A hook imports this, and not the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory_mcp.context.models import MEMORY, Evidence
from memory_mcp.domain.models import DOCUMENT, Memory, Neighbours

if TYPE_CHECKING:
    from memory_mcp.domain.documents import SectionPlace


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the store found, the best first."""

    evidence: Sequence[Evidence] = ()
    beside: Mapping[int, Sequence[Evidence]] = field(default_factory=dict)
    following: Mapping[int, Neighbours] = field(default_factory=dict)
    degraded: str | None = None
    weak: bool = False


def of_memory(memory: Memory, place: SectionPlace | None, *, is_joined: bool = False) -> Evidence:
    """Return what a memory or section says, whole."""
    page = f"p. {place.page}" if place and place.page is not None else ""
    section = ", ".join(filter(None, (place.heading[-1] if place and place.heading else "", page)))
    return Evidence(
        source=MEMORY if place is None else DOCUMENT,
        text=memory.content,
        id=memory.id,
        uri=place.uri if place else f"memory://memory/{memory.id}",
        title=(place.title or place.uri.rpartition("/")[2]) if place else "",
        at=memory.created_at,
        namespace=memory.namespace,
        conversation=memory.conversation_id or "",
        place=(memory.created_at.timestamp(), memory.key),
        section=section,
        is_joined=is_joined,
        key=memory.key,
    )
