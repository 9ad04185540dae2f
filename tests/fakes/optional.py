"""A fake of what only some stores can do: a pickle for the copy."""

from __future__ import annotations

import pickle
from itertools import count
from pathlib import Path
from typing import Any, cast

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Event
from tests.fakes.shelves import OnShelves

KEPT = ("memories", "deleted", "owners", "texts", "revisions", "passages", "space", "others", "log", "floor")
OF_DOCUMENTS = ("files", "documents", "sections", "jobs", "watches")
"""What a backup holds."""


class FakeOptional(OnShelves):
    """See `domain.ports.optional`."""

    async def verify(self) -> list[str]:
        """Say which passages belong to nothing."""
        strangers = {key for key, _, _ in self.shelves.passages.values()} - self.shelves.memories.keys()
        return [f"passages of {key} belong to no live memory" for key in sorted(strangers)]

    async def copies_as(self) -> str:
        """Return the suffix of its files."""
        return ".db"

    async def makes_no_copies(self) -> str:
        """Say that it makes them."""
        return ""

    async def backup(self, target: Path) -> None:
        """Write everything to a file."""
        if target.exists():
            raise StoreError(f"{target} is there already")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(pickle.dumps({name: getattr(self.shelves, name) for name in (*KEPT, *OF_DOCUMENTS)}))
        except OSError as error:
            raise StoreError(f"{target} cannot be written") from error

    async def tidy(self) -> None:
        """There is nothing to do."""

    async def verify_backup(self, source: Path) -> list[str]:
        """Read a file, and find nothing wrong."""
        _held_in(source)
        return []

    async def restore(self, source: Path, aside: Path) -> None:
        """Read everything from a file."""
        held = _held_in(source)
        await self.backup(aside)
        generation = _last(self.shelves.log)
        for name in (*KEPT, *OF_DOCUMENTS):
            setattr(self.shelves, name, held[name])
        self.shelves.keys = count(
            max(
                (*self.shelves.memories, *self.shelves.deleted, *(one.key for one in self.shelves.documents.values())),
                default=0,
            )
            + 1
        )
        self.shelves.passage_ids = count(max(self.shelves.passages, default=0) + 1)
        last = max(generation, _last(self.shelves.log))
        for offset, namespace in enumerate(self.shelves.namespaces() or [""], 1):
            self.shelves.log.append(Event(last + offset, self.shelves.now(), namespace, "restore", (), ()))


def _held_in(source: Path) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", pickle.loads(source.read_bytes()))  # noqa: S301 - a file of this test's own
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise StoreError(f"{source} is no backup") from error


def _last(log: list[Event]) -> int:
    return log[-1].seq if log else 0
