"""Imports a peer's records, compares each with what the store gives back, and undoes a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import Memory, Metadata, Record, Revision
from memory_mcp.domain.names import folded, nfc, same_json
from memory_mcp.domain.principal import Reach
from memory_mcp.imports.planning import IMPORT
from memory_mcp.maintenance.transfer import BATCH, Transfer
from memory_mcp.memories.service import Memories

RUN: Final = "run"


@dataclass(slots=True)
class Moved:
    """What became of the records."""

    created: int = 0
    known: int = 0
    pending: int = 0
    conflicts: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    """Found by reading the source again."""


@dataclass(slots=True)
class Undone:
    """What became of a run's memories."""

    deleted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    """Changed since, and left alone."""


class MovingIn:
    """Moves records of other systems into the store."""

    def __init__(self, transfer: Transfer, memories: Memories) -> None:
        self._transfer = transfer
        self._memories = memories

    async def store(self, records: AsyncIterator[Record], on_progress: Callable[[int], None]) -> Moved:
        """Import in batches; what an earlier run imported is known."""
        moved = Moved()
        batch: list[Record] = []
        async for record in records:
            batch.append(await self._of_first_run(record))
            if len(batch) == BATCH:
                await self._write(batch, moved)
                on_progress(moved.created + moved.known)
                batch = []
        await self._write(batch, moved)
        return moved

    async def _write(self, batch: Sequence[Record], moved: Moved) -> None:
        for outcome in await self._transfer.import_records(batch) if batch else []:
            if isinstance(outcome, ConflictError):
                moved.conflicts.append(str(outcome))
                continue
            moved.created += outcome.created
            moved.known += not outcome.created
            moved.pending += outcome.created and not outcome.embedded

    async def _of_first_run(self, record: Record) -> Record:
        """Return the record with the run that its memory has, if there is one."""
        held = await self._held(record)
        run = _origin(held.metadata).get(RUN) if held else None
        if run is None:
            return record
        origin = {**_origin(record.memory.metadata), RUN: run}
        return replace(record, memory=replace(record.memory, metadata={**record.memory.metadata, IMPORT: origin}))

    async def _held(self, record: Record) -> Memory | None:
        try:
            return await self._memories.get(record.memory.id, Reach(record.memory.namespace, bound=True))
        except NotFoundError:
            return None

    async def verify(self, records: AsyncIterator[Record], moved: Moved) -> None:
        """Compare every record with its memory."""
        async for record in records:
            wanted = await self._of_first_run(record)
            held = await self._held(record)
            if held is None:
                moved.differences.append(f"{record.memory.id}: it is not stored")
            elif names := _differing(wanted, held, await self._memories.revisions(held)):
                moved.differences.append(f"{record.memory.id}: it differs in {', '.join(names)}")

    async def undo(self, run: str) -> Undone:
        """Delete what a run imported, except what was edited since."""
        undone = Undone()
        to_delete: list[Memory] = []
        async for record in self._transfer.export():
            memory = record.memory
            origins = [_origin(memory.metadata), *(_origin(was.metadata) for was in record.revisions)]
            if not any(origin.get(RUN) == run for origin in origins):
                continue
            if memory.revision == origins[0].get("revision"):
                to_delete.append(memory)
            else:
                undone.edited.append(memory.id)
        for memory in to_delete:
            undone.deleted += await self._memories.delete(memory.id, Reach(memory.namespace, bound=True), dry_run=False)
        return undone


def _origin(metadata: Metadata) -> Mapping[str, object]:
    origin = metadata.get(IMPORT)
    return origin if isinstance(origin, Mapping) else {}


def _differing(record: Record, held: Memory, revisions: Sequence[Revision]) -> list[str]:
    wanted = record.memory
    differs = {
        "content": nfc(wanted.content) != nfc(held.content),
        "tags": set(map(folded, wanted.tags)) != set(map(folded, held.tags)),
        "type": wanted.type != held.type,
        "metadata": not same_json(wanted.metadata, held.metadata),
        "conversation_id": wanted.conversation_id != held.conversation_id,
        "created_at": wanted.created_at != held.created_at,
        "updated_at": wanted.updated_at != held.updated_at,
        "revision": wanted.revision != held.revision,
        "history": [(was.content, was.updated_at) for was in record.revisions]
        != [(was.content, was.updated_at) for was in revisions],
    }
    return [name for name, differ in differs.items() if differ]
