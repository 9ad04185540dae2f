"""Imports a peer's records, compares each with what the store gives back, and undoes a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import Memory, Metadata, Record, Revision
from memory_mcp.domain.names import folded, nfc, same_json
from memory_mcp.domain.principal import Reach
from memory_mcp.imports.planning import IMPORT, UNDATED
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
    conflicted: set[tuple[str, str]] = field(default_factory=set)
    """Namespaces and ids of these; they are not compared, as the conflict says what differs."""
    differences: list[str] = field(default_factory=list)
    """Found by reading the source again."""
    earlier: Counter[str] = field(default_factory=Counter)
    """How many of the known ones each earlier run imported."""

    @property
    def done(self) -> int:
        """How many records were dealt with."""
        return self.created + self.known + len(self.conflicts)


@dataclass(slots=True)
class Undone:
    """What became of a run's memories."""

    deleted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    """Changed since, and left alone."""


class MovingIn:
    """Moves records of other systems into the store."""

    def __init__(self, transfer: Transfer, memories: Memories, *, again: bool = False) -> None:
        self._transfer = transfer
        self._memories = memories
        self._again = again
        """Whether what was deleted here since it was imported is imported once more."""

    async def store(self, records: AsyncIterator[Record], on_progress: Callable[[int], None]) -> Moved:
        """Import in batches; what an earlier run imported is known."""
        moved = Moved()
        batch: list[Record] = []
        async for record in records:
            batch.append(replace(await self._of_first_run(record), replaces_deleted=self._again))
            if len(batch) == BATCH:
                await self._write(batch, moved)
                on_progress(moved.done)
                batch = []
        await self._write(batch, moved)
        on_progress(moved.done)
        return moved

    async def _write(self, batch: Sequence[Record], moved: Moved) -> None:
        outcomes = await self._transfer.import_records(batch) if batch else []
        for record, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, ConflictError):
                moved.conflicts.append(f"{outcome}; {await self._way_out(record)}")
                moved.conflicted.add((record.memory.namespace, record.memory.id))
            elif outcome.created:
                moved.created += 1
                moved.pending += not outcome.embedded
            else:
                moved.known += 1
                moved.earlier[str(_origin(record.memory.metadata).get(RUN))] += 1

    async def _of_first_run(self, record: Record) -> Record:
        """Return the record with the run that its memory has, and the times if the source has none."""
        held = await self._held(record)
        known = _origin(held.metadata) if held else {}
        if held is None or RUN not in known:
            return record
        kept = {name: known[name] for name in (RUN, "source_id") if name in known}  # numbers there may shift
        origin = {**_origin(record.memory.metadata), **kept}
        memory = replace(record.memory, metadata={**record.memory.metadata, IMPORT: origin})
        if origin.get(UNDATED) and known.get(UNDATED):
            memory = replace(memory, created_at=held.created_at)
            memory = memory if held.revision > memory.revision else replace(memory, updated_at=held.updated_at)
        return replace(record, memory=memory)

    async def _held(self, record: Record) -> Memory | None:
        try:
            return await self._memories.get(record.memory.id, Reach(record.memory.namespace, bound=True))
        except NotFoundError:
            return None

    async def _way_out(self, record: Record) -> str:
        """Say how to have what the source says now: an import changes nothing that is here."""
        if await self._held(record) is None:
            return "importing with --again takes it once more"
        return f"left as it is; to take it anew: memory-mcp delete {record.memory.id}, then import with --again"

    async def verify(self, records: AsyncIterator[Record], moved: Moved, on_progress: Callable[[int], None]) -> None:
        """Compare every record with its memory."""
        compared = 0
        async for record in records:
            compared += 1
            if compared % BATCH == 0:
                on_progress(compared)
            wanted = await self._of_first_run(record)
            held = await self._held(record)
            if (record.memory.namespace, record.memory.id) in moved.conflicted:
                continue
            if held is None:
                moved.differences.append(f"{record.memory.id}: it is not stored")
            elif names := _differing(wanted, held, await self._memories.revisions(held)):
                moved.differences.append(f"{record.memory.id}: it differs in {', '.join(names)}")
        on_progress(compared)

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
