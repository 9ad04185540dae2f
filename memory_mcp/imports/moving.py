"""Imports a peer's records, compares each with what the store gives back, and undoes a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from memory_mcp.domain.errors import ConflictError, NotFoundError, TransferError
from memory_mcp.domain.models import Memory, Metadata, Record, Revision
from memory_mcp.domain.names import folded, nfc, same_json
from memory_mcp.domain.principal import Reach
from memory_mcp.imports.planning import DELETED, IMPORT, TAGS, UNDATED, Planned, tags_digest
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
    deleted_there: list[str] = field(default_factory=list)
    """Imported by an earlier run, and deleted there since; they stay as they are."""
    earlier: Counter[str] = field(default_factory=Counter)
    """How many of the known ones each earlier run imported."""

    @property
    def done(self) -> int:
        """How many records were dealt with."""
        return self.created + self.known + len(self.conflicts) + len(self.deleted_there)


@dataclass(slots=True)
class Undone:
    """What became of a run's memories."""

    deleted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    """Changed since, and left alone."""


class MovingIn:
    """Moves records of other systems into the store."""

    def __init__(
        self,
        transfer: Transfer,
        memories: Memories,
        *,
        again: bool = False,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._transfer = transfer
        self._memories = memories
        self._again = again
        """Whether what was deleted here since it was imported is imported once more."""
        self._on_begin = on_begin
        """Called once the run has stored something, and can be undone."""

    async def store(self, records: AsyncIterator[Record], on_progress: Callable[[int], None]) -> Moved:
        """Import in batches; what an earlier run imported is known."""
        moved = Moved()
        batch: list[Record] = []
        async for record in records:
            if await self._is_live_still(record):
                moved.deleted_there.append(record.memory.id)
                continue
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
        had_begun = bool(moved.created)
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
        if moved.created and not had_begun:
            self._on_begin()

    async def _of_first_run(self, record: Record) -> Record:
        """Return the record with the run and the digest that its memory has, and the times if the source has none."""
        held = await self._held(record)
        known = _origin(held.metadata) if held else {}
        if held is None or RUN not in known:
            return record
        kept = {name: known[name] for name in (RUN, TAGS, "source_id") if name in known}  # numbers there may shift
        origin = {name: value for name, value in _origin(record.memory.metadata).items() if name != TAGS} | kept
        memory = replace(record.memory, metadata={**record.memory.metadata, IMPORT: origin})
        if origin.get(UNDATED) and known.get(UNDATED):
            memory = replace(memory, created_at=held.created_at)
            memory = memory if held.revision > memory.revision else replace(memory, updated_at=held.updated_at)
        return replace(record, memory=memory)

    async def find_deleted(self, left_out: Iterable[Planned], peer: str, moved: Moved) -> None:
        """Name what an earlier run imported, and what the source has as deleted now."""
        for planned in left_out:
            held = await self._get(planned.id, planned.namespace)
            origin = _origin(held.metadata) if held else {}
            is_same = (origin.get("peer"), origin.get("source_id")) == (peer, planned.source_id)
            if is_same and not origin.get(DELETED):
                moved.deleted_there.append(planned.id)

    async def _is_live_still(self, record: Record) -> bool:
        """Whether an earlier run imported what the source has as deleted now."""
        origin = _origin(record.memory.metadata)
        held = await self._held(record) if origin.get(DELETED) else None
        known = _origin(held.metadata) if held else {}
        same = all(known.get(name) == origin.get(name) for name in ("peer", "source_id"))
        return same and not known.get(DELETED)

    async def _held(self, record: Record) -> Memory | None:
        return await self._get(record.memory.id, record.memory.namespace)

    async def _get(self, memory_id: str, namespace: str) -> Memory | None:
        try:
            return await self._memories.get(memory_id, Reach.bound_to(namespace))
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
            if await self._is_live_still(record):
                continue
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
        """Delete what a run imported, except what was edited since.

        Raises:
            TransferError: nothing here is of that run.
        """
        undone = Undone()
        to_delete: list[Memory] = []
        async for record in self._transfer.export():
            memory = record.memory
            origins = [_origin(memory.metadata), *(_origin(was.metadata) for was in record.revisions)]
            if not any(origin.get(RUN) == run for origin in origins):
                continue
            if _is_untouched(memory):
                to_delete.append(memory)
            else:
                undone.edited.append(memory.id)
        if not (to_delete or undone.edited):
            raise TransferError(f"no memory here is of a run {run!r}; `metadata.import.run` of a memory names its run")
        for memory in to_delete:
            undone.deleted += await self._memories.delete(memory.id, Reach.bound_to(memory.namespace), dry_run=False)
        return undone


def _origin(metadata: Metadata) -> Mapping[str, object]:
    origin = metadata.get(IMPORT)
    return origin if isinstance(origin, Mapping) else {}


def _is_untouched(memory: Memory) -> bool:
    """Whether nobody has changed a memory since it was imported, its tags included."""
    origin = _origin(memory.metadata)
    return memory.revision == origin.get("revision") and origin.get(TAGS) in {None, tags_digest(memory.tags)}


def _differing(record: Record, held: Memory, revisions: Sequence[Revision]) -> list[str]:
    wanted = record.memory
    differs = {
        **_differing_fields(wanted, held),
        "conversation_id": wanted.conversation_id != held.conversation_id,
        "created_at": wanted.created_at != held.created_at,
        "revision": wanted.revision != held.revision,
        "history": len(record.revisions) != len(revisions)
        or any(any(_differing_fields(*pair).values()) for pair in zip(record.revisions, revisions, strict=True)),
    }
    return [name for name, differ in differs.items() if differ]


def _differing_fields(wanted: Memory | Revision, held: Memory | Revision) -> dict[str, bool]:
    """Compare what each version of a memory has."""
    return {
        "content": nfc(wanted.content) != nfc(held.content),
        "tags": set(map(folded, wanted.tags)) != set(map(folded, held.tags)),
        "type": wanted.type != held.type,
        "metadata": not same_json(wanted.metadata, held.metadata),
        "updated_at": wanted.updated_at != held.updated_at,
    }
