"""A fake of the records port: dictionaries for the file."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from memory_mcp.domain.documents import EMPTIED
from memory_mcp.domain.duplicates import check_import, check_merged, check_retry, deleted_before, differing
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import (
    DEFAULT_TYPE,
    Change,
    Embedded,
    Filters,
    Memory,
    Metadata,
    NewMemory,
    Record,
    Revision,
    Statistics,
    Stored,
    Totals,
)
from memory_mcp.domain.names import folded, free
from tests.fakes.searching import fits
from tests.fakes.shelves import OnShelves, place, text_of, tidy


class FakeRecords(OnShelves):
    """See `domain.ports.Records`."""

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        """Keep memories; an exact duplicate only gives its tags to the first."""
        last = max(self.shelves.memories, default=0)
        return [self._add(new, embedded, last) for new, embedded in items]

    def _add(self, new: NewMemory, embedded: Embedded, last: int) -> Stored | ConflictError:
        try:
            known = self._twin(new, last) if new.id is None else self._by_id(new, new.id)
            return self._create(new, embedded) if known is None else self._merge(known, new)
        except ConflictError as error:
            return error

    def _by_id(self, new: NewMemory, memory_id: str) -> Memory | None:
        owner = self.shelves.owners.get((new.namespace, memory_id))
        if owner is None:
            return None
        known = self.shelves.memories.get(owner)
        if known is None or text_of(known)[2] != text_of(new)[2]:
            raise ConflictError(f"id: {memory_id!r} belongs to a memory with other content or to a deleted one")
        check_retry(new, known)
        return known

    def _twin(self, new: NewMemory, last: int) -> Memory | None:
        keys = sorted(self.shelves.texts.get(text_of(new), ()))
        if new.conversation_id is not None:
            earlier = [] if new.created_at is None else [key for key in keys if key <= last]
            keys = [*self._just_before(new), *earlier]
        held = (self.shelves.memories.get(key) for key in keys)
        alike = (memory for memory in held if memory is not None and text_of(memory) == text_of(new))
        return next((memory for memory in alike if not differing(new, memory)), None)

    def _just_before(self, new: NewMemory) -> list[int]:
        talk = self.shelves.live(Filters(new.namespace, conversation_id=new.conversation_id))
        until = new.created_at or self.shelves.now()
        return [turn.key for turn in sorted(talk, key=place) if turn.created_at <= until][-1:]

    def _create(self, new: NewMemory, embedded: Embedded) -> Stored:
        memory = Memory(
            key=next(self.shelves.keys),
            id=new.id or uuid.uuid4().hex,
            namespace=new.namespace,
            content=new.content,
            tags=tidy(new.tags),
            type=new.type or DEFAULT_TYPE,
            metadata=dict(new.metadata or {}),
            conversation_id=new.conversation_id,
            created_at=(new.created_at or self.shelves.now()).astimezone(UTC),
            updated_at=self.shelves.now(),
            revision=1,
            embedded=False,
        )
        self.shelves.keep(memory)
        self.shelves.file(memory.key, embedded.chunks, embedded.space)
        self.shelves.note("store", memory.namespace, [memory.id], memory.tags)
        return Stored(memory.id, created=True, embedded=self.shelves.seen(memory).embedded)

    def _merge(self, known: Memory, new: NewMemory) -> Stored:
        tags = tidy([*known.tags, *new.tags])
        check_merged(known, len(tags) - len(known.tags))
        if tags != known.tags:
            self.shelves.memories[known.key] = replace(known, tags=tags, updated_at=self.shelves.now())
            self.shelves.note("tag", known.namespace, [known.id], tags)
        merged = tuple(tag for tag in tags if tag not in known.tags)
        return Stored(known.id, created=False, embedded=self.shelves.seen(known).embedded, merged=merged)

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory of this namespace, else of any other if that may be."""
        return self.shelves.seen(self._find(memory_id, namespace, any_namespace=any_namespace))

    def _find(self, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
        alike = (memory for memory in self.shelves.live() if memory.id == memory_id)
        found = [memory for memory in alike if any_namespace or memory.namespace == namespace]
        if not found:
            raise NotFoundError(f"id: no memory {memory_id!r} is stored")
        return min(found, key=lambda memory: memory.namespace != namespace)

    async def revisions(self, memory: Memory, *, before: int | None = None, limit: int | None = None) -> list[Revision]:
        """Return what the memory was before, oldest first."""
        known = self.shelves.revisions.get(memory.key, ())
        found = [was for was in known if before is None or was.revision < before]
        return found if limit is None else found[max(0, len(found) - limit) :]

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        """Replace fields and keep the old revision."""
        old = self.shelves.memories.get(memory.key)
        if old is None:
            raise NotFoundError("id: this memory was deleted")
        if expected_revision not in {None, old.revision}:
            raise ConflictError(f"expected_revision: the memory is at revision {old.revision}")
        if not _differs(old, change):
            return self.shelves.seen(old)
        was = Revision(old.revision, old.content, old.tags, old.type, old.metadata, old.updated_at)
        self.shelves.revisions.setdefault(old.key, []).append(was)
        new = replace(
            old,
            content=old.content if change.content is None else change.content,
            tags=old.tags if change.tags is None else tidy(change.tags),
            type=old.type if change.type is None else change.type,
            metadata=old.metadata if change.metadata is None else dict(change.metadata),
            updated_at=self.shelves.now(),
            revision=old.revision + 1,
        )
        self.shelves.keep(new)
        if embedded is not None and new.content != old.content:
            self.shelves.drop_passages(old.key)
            self.shelves.file(old.key, embedded.chunks, embedded.space)
        self.shelves.note("update", old.namespace, [old.id], [*old.tags, *(change.tags or ())])
        return self.shelves.seen(new)

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        """Delete softly by ids, else by filters."""
        named = dict.fromkeys(memory_ids or ())
        found = [self._find(memory_id, filters.namespace, any_namespace=any_namespace) for memory_id in named]
        by_id = [memory for memory in found if fits(memory, replace(filters, namespace=memory.namespace))]
        to_delete = self.shelves.live(filters) if memory_ids is None else by_id
        for memory in () if dry_run else to_delete:
            self.shelves.delete(memory)
        return [memory.id for memory in to_delete]

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        """Return a memory that was deleted."""
        alike = (memory for memory, _ in self.shelves.deleted.values() if memory.id == memory_id)
        found = [memory for memory in alike if any_namespace or memory.namespace == namespace]
        if not found:
            raise NotFoundError(f"id: no deleted memory {memory_id!r} is kept")
        return self.shelves.seen(min(found, key=lambda memory: (memory.namespace != namespace, memory.key)))

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        """Bring a deleted memory back."""
        held = self.shelves.deleted.get(memory.key)
        if held is None or held[0].revision != memory.revision:
            raise NotFoundError(f"id: no deleted memory {memory.id!r} is kept")
        self.shelves.keep(self.shelves.deleted.pop(memory.key)[0])
        self.shelves.file(memory.key, embedded.chunks, embedded.space)
        self.shelves.note("undelete", memory.namespace, [memory.id], memory.tags)
        return self.shelves.seen(self.shelves.memories[memory.key])

    async def purge(
        self, before: datetime, *, namespace: str | None = None, memory_ids: Sequence[str] | None = None
    ) -> int:
        """Remove for good what was deleted before a moment."""
        to_delete = [
            memory
            for memory, moment in self.shelves.deleted.values()
            if moment < before
            and namespace in {None, memory.namespace}
            and (memory_ids is None or memory.id in memory_ids)
        ]
        self._forget(to_delete)
        return len(to_delete)

    def _forget(self, to_delete: Sequence[Memory]) -> None:
        held = {
            self.shelves.sections[memory.key].document for memory in to_delete if memory.key in self.shelves.sections
        }
        for memory in to_delete:
            del self.shelves.deleted[memory.key]
            del self.shelves.owners[memory.namespace, memory.id]
            self.shelves.revisions.pop(memory.key, None)
            self.shelves.sections.pop(memory.key, None)
        for document_id in held - {at.document for at in self.shelves.sections.values()}:
            if self.shelves.documents[document_id].change.refusal is None:
                self.shelves.make_partial(document_id, EMPTIED)
        for namespace in sorted({memory.namespace for memory in to_delete}):
            self.shelves.note("purge", namespace, [memory.id for memory in to_delete if memory.namespace == namespace])

    async def export(self, after: int, limit: int) -> list[Record]:
        """Return the first live memories after a key."""
        found = [memory for key, memory in sorted(self.shelves.memories.items()) if key > after]
        return [
            Record(self.shelves.seen(memory), tuple(self.shelves.revisions.get(memory.key, ())))
            for memory in found[:limit]
        ]

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        """Write exported memories."""
        return [self._absorb(record, embedded) for record, embedded in items]

    def _absorb(self, record: Record, embedded: Embedded) -> Stored | ConflictError:
        memory = record.memory
        if record.replaces_deleted:
            known = self.shelves.owners.get((memory.namespace, memory.id))
            self._forget([self.shelves.deleted[known][0]] if known in self.shelves.deleted else [])
        if record.may_be_numbered:
            memory = replace(memory, id=free(memory.id, lambda name: self._is_anothers(replace(memory, id=name)), 120))
        if self._is_anothers(memory):
            return ConflictError(f"id: {memory.id!r} belongs to a memory with other content")
        known = self.shelves.owners.get((memory.namespace, memory.id))
        if known in self.shelves.deleted:
            return deleted_before(memory.id, memory.namespace)
        if known is not None:
            try:
                check_import(memory, self.shelves.memories[known])
            except ConflictError as error:
                return error
            return Stored(memory.id, created=False, embedded=self.shelves.seen(self.shelves.memories[known]).embedded)
        key = next(self.shelves.keys)
        self.shelves.keep(replace(memory, key=key))
        self.shelves.revisions[key] = list(record.revisions)
        self.shelves.file(key, embedded.chunks, embedded.space)
        self.shelves.note("import", memory.namespace, [memory.id], memory.tags)
        return Stored(memory.id, created=True, embedded=self.shelves.seen(self.shelves.memories[key]).embedded)

    def _is_anothers(self, memory: Memory) -> bool:
        known = self.shelves.owners.get((memory.namespace, memory.id))
        if known is None:
            return False
        held = self.shelves.memories[known] if known in self.shelves.memories else self.shelves.deleted[known][0]
        return text_of(held)[2] != text_of(memory)[2]

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        """Count what a namespace holds."""
        live = self.shelves.live(Filters(namespace))
        spelled = self._spelled(namespace)
        used = Counter(folded(tag) for memory in live for tag in memory.tags)
        times = [memory.created_at for memory in live]
        talks = {memory.conversation_id for memory in live if memory.key not in self.shelves.sections} - {None}
        most = sorted(used.items(), key=lambda entry: (-entry[1], entry[0]))[:tags]
        shown = {spelled[tag]: count for tag, count in most}
        return Statistics(len(live), len(talks), shown, min(times, default=None), max(times, default=None))

    async def totals(self) -> Totals:
        """Count what the store holds; it has no files."""
        live = list(self.shelves.live())
        return Totals(len(live), len({memory.namespace for memory in live}), 0)

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        """Return tags that begin so."""
        spelled = self._spelled(namespace)
        return [spelled[tag] for tag in sorted(spelled) if tag.startswith(folded(prefix))][:limit]

    def _spelled(self, namespace: str) -> dict[str, str]:
        """Return each tag's spelling in the first memory that has it, by what it is compared by."""
        live = sorted(self.shelves.live(Filters(namespace)), key=lambda memory: -memory.key)
        return {folded(tag): tag for memory in live for tag in memory.tags}

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        """Return namespaces that begin so."""
        names = {memory.namespace for memory in self.shelves.live() if memory.namespace.startswith(prefix)}
        return sorted(names)[:limit]


def _differs(old: Memory, change: Change) -> bool:
    return (
        change.content not in {None, old.content}
        or change.type not in {None, old.type}
        or (change.tags is not None and tidy(change.tags) != old.tags)
        or (change.metadata is not None and _json(change.metadata) != _json(old.metadata))
    )


def _json(metadata: Metadata) -> str:
    return json.dumps(metadata, sort_keys=True)
