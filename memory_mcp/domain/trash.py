"""What was deleted, for as long as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from memory_mcp.domain.models import Memory


@dataclass(frozen=True, slots=True)
class Trashed:
    """A deleted memory that is still kept."""

    memory: Memory
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class TrashPage:
    """A part of what was deleted, the latest first."""

    memories: tuple[Trashed, ...]
    next_cursor: str | None
    total: int
