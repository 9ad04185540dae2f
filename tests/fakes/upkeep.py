"""The fake store's upkeep: spaces, copies, transfer and the log of changes."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path

from memory_mcp.domain.duplicates import check_import, deleted_before
from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.models import (
    Chunk,
    Embedded,
    Event,
    Memory,
    MissedChanges,
    MissingVectors,
    Record,
    Space,
    Stored,
)
from memory_mcp.domain.names import free
from tests.fakes.shelves import Shelves, text_of

KEPT = ("_memories", "_deleted", "_owners", "_texts", "_revisions", "_passages", "_space", "_others", "_log", "_floor")
"""What a backup holds."""


class FakeUpkeep(Shelves):
    """See `domain.ports.Upkeep` for what each method promises."""

    def _namespaces(self) -> list[str]:
        return sorted({event.namespace for event in self._log})

    async def others(self) -> list[Space]:
        """Return the spaces that are not the store's."""
        return list(self._others)

    def _lacking(self, space: Space) -> list[Memory]:
        filled = {key for key, _, of in self._passages.values() if of == space}
        return [memory for key, memory in sorted(self._memories.items()) if key not in filled]

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        """Return live memories that have no passage in a space."""
        found = [MissingVectors(memory.key, memory.content) for memory in self._lacking(space) if memory.key > after]
        return found[:limit]

    async def count_missing_vectors(self, space: Space) -> int:
        """Count the live memories that have no passage in a space."""
        return len(self._lacking(space))

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        """Give memories their passages in a space."""
        self._know(space)
        filled: dict[str, list[str]] = {}
        for wanted, passages in items:
            if any((memory.key, memory.content) == (wanted.key, wanted.content) for memory in self._lacking(space)):
                if space == self._space:
                    self._drop_waiting(wanted.key)
                for passage in passages:
                    self._passages[next(self._passage_ids)] = (wanted.key, passage, space)
                memory = self._memories[wanted.key]
                filled.setdefault(memory.namespace, []).append(memory.id)
        if space == self._space:
            for namespace, ids in filled.items():
                self._note("embed", namespace, ids)

    def _drop_waiting(self, key: int) -> None:
        self._passages = {n: held for n, held in self._passages.items() if held[0] != key or held[2] is not None}

    def _know(self, space: Space) -> None:
        if space != self._space and space not in self._others:
            self._others.append(space)

    async def activate_space(self, space: Space) -> bool:
        """Make a filled space the store's."""
        if space == self._space:
            return True
        if self._lacking(space):
            return False
        self._know(space)
        waiting = {key for key, _, of in self._passages.values() if of is None}
        self._passages = {
            n: held
            for n, held in self._passages.items()
            if held[2] is not None and not (held[0] in waiting and held[2] == self._space)
        }
        self._others = [other for other in [*self._others, self._space] if other not in {None, space}]
        self._space = space
        for namespace in self._namespaces():
            self._note("space", namespace, [])
        return True

    async def drop_space(self, space: Space) -> None:
        """Remove the vectors of a space that is not the store's."""
        if space == self._space:
            raise ConflictError(f"the space {space.id} is the store's")
        self._others = [other for other in self._others if other != space]
        self._passages = {n: held for n, held in self._passages.items() if held[2] != space}

    async def purge(self, before: datetime) -> int:
        """Remove for good what was deleted before a moment."""
        to_delete = [memory for memory, moment in self._deleted.values() if moment < before]
        for memory in to_delete:
            del self._deleted[memory.key]
            del self._owners[memory.namespace, memory.id]
            self._revisions.pop(memory.key, None)
        for namespace in sorted({memory.namespace for memory in to_delete}):
            self._note("purge", namespace, [memory.id for memory in to_delete if memory.namespace == namespace])
        return len(to_delete)

    async def generation(self) -> int:
        """Return the number of the last write."""
        return self._log[-1].seq if self._log else 0

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        """Return the first writes after a generation."""
        if after < self._floor:
            return MissedChanges(await self.generation())
        return [event for event in self._log if event.seq > after][:limit]

    async def prune_changes(self, before: datetime) -> int:
        """Forget writes; which namespaces there were is not forgotten."""
        old = [event.seq for event in self._log[:-1] if event.at < before]
        pruned = [event.seq for event in self._log if self._floor < event.seq <= max(old, default=0)][:3]
        self._floor = max(pruned, default=self._floor)
        return len(pruned)

    async def export(self, after: int, limit: int) -> list[Record]:
        """Return the first live memories after a key."""
        found = [memory for key, memory in sorted(self._memories.items()) if key > after]
        return [Record(self._seen(memory), tuple(self._revisions.get(memory.key, ()))) for memory in found[:limit]]

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        """Write exported memories."""
        return [self._absorb(record, embedded) for record, embedded in items]

    def _absorb(self, record: Record, embedded: Embedded) -> Stored | ConflictError:
        memory = record.memory
        if record.may_be_numbered:
            memory = replace(memory, id=free(memory.id, lambda name: self._is_anothers(replace(memory, id=name)), 120))
        if self._is_anothers(memory):
            return ConflictError(f"id: {memory.id!r} belongs to another content")
        known = self._owners.get((memory.namespace, memory.id))
        if known in self._deleted:
            return deleted_before(memory.id, memory.namespace)
        if known is not None:
            try:
                check_import(memory, self._memories[known])
            except ConflictError as error:
                return error
            return Stored(memory.id, created=False, embedded=self._seen(self._memories[known]).embedded)
        key = next(self._keys)
        self._keep(replace(memory, key=key))
        self._revisions[key] = list(record.revisions)
        self._file(key, embedded.chunks, embedded.space)
        self._note("import", memory.namespace, [memory.id], memory.tags)
        return Stored(memory.id, created=True, embedded=self._seen(self._memories[key]).embedded)

    def _is_anothers(self, memory: Memory) -> bool:
        known = self._owners.get((memory.namespace, memory.id))
        if known is None:
            return False
        held = self._memories[known] if known in self._memories else self._deleted[known][0]
        return text_of(held)[2] != text_of(memory)[2]

    async def verify(self) -> list[str]:
        """Say which passages belong to nothing."""
        strangers = {key for key, _, _ in self._passages.values()} - self._memories.keys()
        return [f"passages of {key} belong to no live memory" for key in sorted(strangers)]

    async def backup(self, target: Path) -> None:
        """Write everything to a file."""
        if target.exists():
            raise StoreError(f"{target} is there already")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(pickle.dumps({name: getattr(self, name) for name in KEPT}))
        except OSError as error:
            raise StoreError(f"{target} cannot be written") from error

    async def tidy(self) -> None:
        """There is nothing to do."""

    async def restore(self, source: Path, aside: Path) -> None:
        """Read everything from a file."""
        try:
            held = pickle.loads(source.read_bytes())  # noqa: S301 - a file of this test's own
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise StoreError(f"{source} is no backup") from error
        await self.backup(aside)
        generation = await self.generation()
        for name in KEPT:
            setattr(self, name, held[name])
        self._keys = count(max((*self._memories, *self._deleted), default=0) + 1)
        self._passage_ids = count(max(self._passages, default=0) + 1)
        last = max(generation, await self.generation())
        for offset, namespace in enumerate(self._namespaces() or [""], 1):
            self._log.append(Event(last + offset, self._now(), namespace, "restore", (), ()))
