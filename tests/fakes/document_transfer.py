"""A fake of the port that moves documents between stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memory_mcp.domain.documents import (
    EMPTIED,
    PARTIAL,
    PARTLY_WRITTEN,
    DocumentChange,
    DocumentRecord,
    FileRecord,
    FileStamp,
    SectionRecord,
)
from memory_mcp.domain.errors import ConflictError
from tests.fakes.documents import FakeDocuments
from tests.fakes.shelves import HeldDocument, HeldFile, HeldSection


class FakeDocumentTransfer(FakeDocuments):
    """See `domain.ports.documents.DocumentTransfer`."""

    async def export_documents(self, after: int, limit: int) -> list[DocumentRecord]:
        """Return the first documents after a key."""
        held = sorted((one for one in self.shelves.documents.values() if one.key > after), key=lambda one: one.key)
        return [self._record(one) for one in held[:limit]]

    def _record(self, held: HeldDocument) -> DocumentRecord:
        is_emptied = held.change.refusal is None and self._is_emptied(held)
        files = {uri: self.shelves.files[held.namespace, uri] for uri in self._held_uris(held)}
        return DocumentRecord(
            key=held.key,
            id=held.id,
            namespace=held.namespace,
            digest=held.digest,
            part=held.change.part,
            title=held.change.title,
            media_type=held.change.media_type,
            pages=held.change.pages,
            refusal=PARTIAL if is_emptied else held.change.refusal,
            error=EMPTIED if is_emptied else held.change.error,
            tags=held.tags,
            dated_at=held.dated_at,
            created_at=held.created_at,
            updated_at=held.updated_at,
            files=tuple(
                FileRecord(uri, file.stamp.size, file.stamp.modified_ns, file.seen_at, file.missing_at)
                for uri, file in files.items()
            ),
            sections=tuple(SectionRecord(memory.id, at.heading, at.page, at.digest) for memory, at in self._live(held)),
        )

    def _held_uris(self, held: HeldDocument) -> list[str]:
        return self._uris(held.namespace, held.digest, present=False)

    async def import_documents(self, records: Sequence[DocumentRecord]) -> list[bool | ConflictError]:
        """Write documents."""
        return [self._import(record) for record in records]

    def _import(self, record: DocumentRecord) -> bool | ConflictError:
        known = self.shelves.documents.get(record.id)
        if known is not None:
            return False if known.namespace == record.namespace else ConflictError("document: of another namespace")
        held = [self.shelves.files.get((record.namespace, file.uri)) for file in record.files]
        if any(one.change.part == record.part for one in self._of_digest(record.namespace, record.digest)) or any(
            file is not None and file.stamp.digest != record.digest for file in held
        ):
            return ConflictError("document: it was ingested here as well")
        self._write(record)
        self.shelves.note("document", record.namespace, [record.id], record.tags)
        return True

    def _write(self, record: DocumentRecord) -> None:
        for file in record.files:
            stamp = FileStamp(record.digest, file.size, file.modified_ns)
            at = (record.namespace, file.uri)
            self.shelves.files.setdefault(at, HeldFile(stamp, file.seen_at, file.missing_at))
        keys = {
            memory.id: key
            for key, memory in self.shelves.memories.items()
            if (memory.namespace, memory.conversation_id) == (record.namespace, record.id)
            if key not in self.shelves.sections
        }
        places = [(keys[one.memory_id], one) for one in record.sections if one.memory_id in keys]
        for place, (key, one) in enumerate(places):
            self.shelves.sections[key] = HeldSection(record.id, place, one.heading, one.page, one.digest)
        change = DocumentChange(
            record.part, record.title, record.media_type, record.pages, record.refusal, record.error, ()
        )
        if len(places) < len(record.sections) and record.refusal is None:
            change = replace(change, refusal=PARTIAL, error=PARTLY_WRITTEN)
        self.shelves.documents[record.id] = HeldDocument(
            key=next(self.shelves.keys),
            id=record.id,
            namespace=record.namespace,
            digest=record.digest,
            change=change,
            revision=1,
            tags=record.tags,
            dated_at=record.dated_at,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )
