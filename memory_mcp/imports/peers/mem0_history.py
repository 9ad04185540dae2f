"""mem0's `history.db`: what its memories said before, and those that it deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import PeerVersion, Source, UnreadableError
from memory_mcp.imports.peers.database import columns_of, opened, rows
from memory_mcp.imports.peers.values import moment, told

NEEDED: Final = ("memory_id", "old_memory", "new_memory", "event", "created_at", "updated_at")


@dataclass(slots=True)
class Life:
    """What happened to a memory."""

    created_at: datetime
    updated_at: datetime
    last_text: str = ""
    replaced: list[tuple[str, datetime]] = field(default_factory=list)
    """Texts, each with the time when the next one came."""
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The lives of all memories, by id."""

    lives: Mapping[str, Life] = field(default_factory=dict)

    def versions(self, source_id: str, created_at: datetime) -> tuple[PeerVersion, ...]:
        """Return the texts that were replaced, each with the time when it was written."""
        life = self.lives.get(source_id)
        replaced = life.replaced if life else []
        written = [created_at, *(until for _, until in replaced)]
        return tuple(PeerVersion(was, (), "", {}, at) for (was, _), at in zip(replaced, written, strict=False))


def history_of(path: Path, source: Source) -> History:
    """Read it.

    Raises:
        UnreadableError: it is not mem0's.
    """
    lives: dict[str, Life] = {}
    at = source.written_at(path)
    with opened(path) as db:
        if not set(NEEDED) <= columns_of(db, "history"):
            raise UnreadableError(f"{path.name} is no history of mem0; name its folder")
        for row, _ in rows(db, "history", NEEDED):
            _take({name: told(value) for name, value in row.items()}, lives, at, source)
    return History(lives)


def _take(row: Mapping[str, str], lives: dict[str, Life], fallback: datetime, source: Source) -> None:
    created = moment(row["created_at"], source.aware) or fallback
    changed = moment(row["updated_at"], source.aware) or created
    life = lives.setdefault(row["memory_id"], Life(created, created))
    life.updated_at = max(life.updated_at, changed)
    if row["event"] == "DELETE":
        life.is_deleted = True
        life.last_text = row["old_memory"] or life.last_text
        return
    if row["event"] == "UPDATE" and row["old_memory"]:
        life.replaced.append((row["old_memory"], changed))
    life.last_text = row["new_memory"] or life.last_text
