"""A fake of the port of documents: dictionaries for the tables."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from memory_mcp.domain.documents import (
    PARTIAL,
    PARTLY_WRITTEN,
    STEP,
    Document,
    DocumentChange,
    DocumentState,
    DocumentTitle,
    FileChange,
    FileStamp,
    KnownDocument,
    KnownSection,
    PlacedSection,
    SectionOutline,
    section_times,
)
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import DOCUMENT, MAX_TAGS, Memory
from memory_mcp.domain.names import folded, tags_once
from tests.fakes.shelves import EPOCH, HeldDocument, HeldFile, HeldSection, OnShelves, tidy


class FakeDocuments(OnShelves):
    """See `domain.ports.documents.Documents`."""

    async def stamps(self, namespace: str, uris: Sequence[str]) -> Mapping[str, FileStamp]:
        """Return what files were, unless they are missing or failed."""
        found = {uri: self.shelves.files.get((namespace, uri)) for uri in uris}
        return {
            uri: file.stamp
            for uri, file in found.items()
            if file is not None
            and file.missing_at is None
            and not any(
                held.change.refusal or self._is_emptied(held) for held in self._of_digest(namespace, file.stamp.digest)
            )
        }

    async def files(self, namespace: str, place: str) -> Mapping[str, FileStamp]:
        """Return the files at a place or below it that are not missing."""
        return {
            uri: file.stamp
            for (there, uri), file in self.shelves.files.items()
            if there == namespace and file.missing_at is None and (uri == place or uri.startswith(f"{place}/"))
        }

    async def known_documents(self, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
        """Return the documents of a digest, else those that the file alone has."""
        return self._known(namespace, uri, digest)

    def _known(self, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
        if same := self._of_digest(namespace, digest):
            return tuple(map(self._seen, same))
        file = self.shelves.files.get((namespace, uri))
        if file is None or any(other != uri for other in self._uris(namespace, file.stamp.digest, present=True)):
            return ()
        return tuple(map(self._seen, self._of_digest(namespace, file.stamp.digest)))

    def _seen(self, held: HeldDocument) -> KnownDocument:
        sections = tuple(KnownSection(memory.id, at.digest) for memory, at in self._live(held))
        return KnownDocument(
            held.id,
            held.change.part,
            held.digest,
            held.revision,
            bool(held.change.refusal),
            sections,
            self._is_emptied(held),
        )

    def _is_emptied(self, held: HeldDocument) -> bool:
        return not self._live(held) and any(at.document == held.id for at in self.shelves.sections.values())

    def _of_digest(self, namespace: str, digest: str) -> list[HeldDocument]:
        of = self.shelves.documents.values()
        return [held for held in of if held.namespace == namespace and held.digest == digest]

    def _uris(self, namespace: str, digest: str, *, present: bool) -> list[str]:
        return sorted(
            uri
            for (there, uri), file in self.shelves.files.items()
            if there == namespace and file.stamp.digest == digest and not (present and file.missing_at)
        )

    def _live(self, held: HeldDocument) -> list[tuple[Memory, HeldSection]]:
        at = sorted(
            (section.place, key) for key, section in self.shelves.sections.items() if section.document == held.id
        )
        return [
            (self.shelves.memories[key], self.shelves.sections[key]) for _, key in at if key in self.shelves.memories
        ]

    async def document(self, document_id: str, namespace: str, *, any_namespace: bool = False) -> Document:
        """Return a document."""
        held = self.shelves.documents.get(document_id)
        if held is None or not (any_namespace or held.namespace == namespace):
            raise NotFoundError(f"id: no document {document_id!r} is stored")
        return self._shown(held)

    def shown(self, document_id: str) -> Document:
        """Return a document that is there."""
        return self._shown(self.shelves.documents[document_id])

    def _shown(self, held: HeldDocument) -> Document:
        uris = self._uris(held.namespace, held.digest, present=False)
        present = self._uris(held.namespace, held.digest, present=True)
        first = (present or uris)[0]
        failed = DocumentState.FAILED if held.change.refusal else DocumentState.OK
        failed = DocumentState.PARTIAL if held.change.refusal == PARTIAL else failed
        return Document(
            key=held.key,
            id=held.id,
            namespace=held.namespace,
            uri=f"{first}#{held.change.part}" if held.change.part else first,
            uris=tuple(uris),
            part=held.change.part,
            title=held.change.title,
            media_type=held.change.media_type,
            pages=held.change.pages,
            stamp=self.shelves.files[held.namespace, first].stamp,
            state=failed if present else DocumentState.MISSING,
            refusal=held.change.refusal,
            error=held.change.error,
            sections=len(self._live(held)),
            tags=held.tags,
            created_at=held.created_at,
            updated_at=held.updated_at,
        )

    async def documents(
        self, namespace: str, after: int, limit: int, *, state: DocumentState | None = None, job: str | None = None
    ) -> list[Document]:
        """Return the first documents after a key."""
        of = [self._shown(held) for held in self.shelves.documents.values() if held.namespace == namespace]
        uris = None if job is None else {file.uri for file in self.shelves.jobs[job].files}
        found = [one for one in of if state in {None, one.state} and (uris is None or uris & set(one.uris))]
        return [one for one in sorted(found, key=lambda one: one.key) if one.key > after][:limit]

    async def titles(self, namespace: str, before: int | None, limit: int) -> list[DocumentTitle]:
        """Return what the last documents before a key are called."""
        of = [self._shown(held) for held in self.shelves.documents.values() if held.namespace == namespace]
        found = [DocumentTitle(one.key, one.id, one.title, one.uri) for one in of]
        older = [one for one in found if before is None or one.key < before]
        return sorted(older, key=lambda one: -one.key)[:limit]

    async def outline(self, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
        """Return live sections, in order."""
        held = self.shelves.documents.get(document_id)
        live = [] if held is None else self._live(held)
        return [SectionOutline(memory.id, at.heading, at.page) for memory, at in live[offset : offset + limit]]

    async def remove_documents(self, document_ids: Sequence[str]) -> int:
        """Remove documents with their sections."""
        return sum(self._remove(document_id) for document_id in document_ids)

    def _remove(self, document_id: str) -> bool:
        held = self.shelves.documents.get(document_id)
        if held is None:
            return False
        self._unlink(held, set())
        del self.shelves.documents[document_id]
        self.shelves.note("document", held.namespace, [document_id])
        self._forget_files(held.namespace, held.digest)
        return True

    def _unlink(self, held: HeldDocument, kept: set[int]) -> None:
        for memory, _ in self._live(held):
            if memory.key not in kept:
                self.shelves.delete(memory)
        gone = [key for key, at in self.shelves.sections.items() if at.document == held.id and key not in kept]
        for key in gone:
            del self.shelves.sections[key]

    def _tidy(self, namespace: str, digest: str) -> None:
        """Remove documents that no present file has, and files without a document."""
        if not self._uris(namespace, digest, present=True):
            for one in self._of_digest(namespace, digest):
                self._remove(one.id)
        self._forget_files(namespace, digest)

    def _forget_files(self, namespace: str, digest: str) -> None:
        if not self._of_digest(namespace, digest):
            for uri in self._uris(namespace, digest, present=False):
                del self.shelves.files[namespace, uri]

    async def remove_sections(self, document_id: str, memory_ids: Sequence[str]) -> None:
        """Delete some sections of a document."""
        held = self._partial(self.shelves.documents[document_id])
        self._unlink(held, {memory.key for memory, _ in self._live(held) if memory.id not in memory_ids})

    def _partial(self, held: HeldDocument) -> HeldDocument:
        self.shelves.documents[held.id] = held
        return self.shelves.make_partial(held.id, PARTLY_WRITTEN)

    def append(self, change: FileChange, documents: Sequence[DocumentChange]) -> None:
        """Write new sections behind the known ones."""
        known = self._known(change.namespace, change.uri, change.stamp.digest)
        ids = {one.part: one.id for one in known}
        if not {one.id for one in change.known} <= set(ids.values()):
            raise ConflictError(f"file: a document of {change.uri!r} was removed meanwhile")
        as_known = {(one.id, one.revision) for one in change.known}
        partial = {one.id for one in known if self.shelves.documents[one.id].change.refusal == PARTIAL}
        if any(one.id not in partial and (one.id, one.revision) not in as_known for one in known):
            raise ConflictError(f"file: another process has written {change.uri!r} meanwhile")
        if not known:
            stamp = replace(change.stamp, modified_ns=None)
            self.shelves.files[change.namespace, change.uri] = HeldFile(stamp, self.shelves.now())
        for new in documents:
            held = self.shelves.documents[ids[new.part]] if new.part in ids else self._begun(change, new)
            held = self._partial(replace(held, digest=known[0].digest if known else change.stamp.digest))
            placed = new.sections or ()
            places = [at.place for at in self.shelves.sections.values() if at.document == held.id]
            latest = max((memory.created_at for memory, _ in self._live(held)), default=None)
            for place, (section, time) in enumerate(zip(placed, _times(held, placed, latest), strict=True)):
                memory, draft = self._new(held, section, time), section.draft
                at = HeldSection(held.id, place + max(places, default=-1) + 1, draft.heading, draft.page, draft.digest)
                self.shelves.sections[memory.key] = at
            self.shelves.note("document", held.namespace, [held.id], held.tags)

    def _begun(self, change: FileChange, new: DocumentChange) -> HeldDocument:
        now, modified = self.shelves.now(), change.stamp.modified_ns
        first = now if modified is None else min(now, EPOCH + timedelta(microseconds=modified // 1_000))
        tags = tuple(tags_once(change.tags)[:MAX_TAGS])
        key = next(self.shelves.keys)
        return HeldDocument(key, uuid.uuid4().hex, change.namespace, "", new, 0, tags, first, now, now)

    async def mark_missing(self, namespace: str, folder: str, since: datetime) -> int:
        """Mark files that were not seen since a moment."""
        marked = [
            uri
            for (there, uri), file in self.shelves.files.items()
            if there == namespace and file.missing_at is None and file.seen_at < since
            if uri == folder or uri.startswith(f"{folder}/")
        ]
        for uri in marked:
            file = self.shelves.files[namespace, uri]
            self.shelves.files[namespace, uri] = replace(file, missing_at=self.shelves.now())
        for uri in marked:
            if self._uris(namespace, self.shelves.files[namespace, uri].stamp.digest, present=True):
                del self.shelves.files[namespace, uri]
        if marked:
            self.shelves.note("document", namespace, [])
        return len(marked)

    def put(self, change: FileChange) -> None:
        """Write a file with its documents."""
        held = self._known(change.namespace, change.uri, change.stamp.digest)
        if [(one.id, one.revision) for one in held] != [(one.id, one.revision) for one in change.known]:
            raise ConflictError(f"file: {change.uri!r} was read by another process meanwhile")
        before = self.shelves.files.get((change.namespace, change.uri))
        self.shelves.files[change.namespace, change.uri] = HeldFile(change.stamp, self.shelves.now())
        self._forget_missing(change.namespace, change.stamp.digest)
        if change.documents is None:
            for one in self._of_digest(change.namespace, change.stamp.digest):
                self._tag(one, change.tags)
        else:
            ids = {one.part: one.id for one in held}
            for new in change.documents:
                self._put(change, new, ids.pop(new.part, None))
            for document_id in ids.values():
                self._remove(document_id)
        for digest in {change.stamp.digest, change.stamp.digest if before is None else before.stamp.digest}:
            self._tidy(change.namespace, digest)

    def _forget_missing(self, namespace: str, digest: str) -> None:
        for uri in self._uris(namespace, digest, present=False):
            if self.shelves.files[namespace, uri].missing_at is not None:
                del self.shelves.files[namespace, uri]

    def _put(self, change: FileChange, new: DocumentChange, known_id: str | None) -> None:
        known = None if known_id is None else self.shelves.documents[known_id]
        if known is None:
            known = replace(self._begun(change, new), tags=())
        elif new.sections is None:
            was = known.change
            new = replace(new, title=was.title, media_type=was.media_type, pages=was.pages)
        held = replace(
            known, digest=change.stamp.digest, change=new, revision=known.revision + 1, updated_at=self.shelves.now()
        )
        self.shelves.documents[held.id] = held
        held = self._tag(held, change.tags)
        if new.sections is not None:
            self._replace(held, new.sections)
        self.shelves.note("document", held.namespace, [held.id], held.tags)

    def _tag(self, held: HeldDocument, tags: Sequence[str]) -> HeldDocument:
        joined = tuple(tags_once([*held.tags, *tags])[:MAX_TAGS])
        more = [tag for tag in joined if folded(tag) not in set(map(folded, held.tags))]
        live = [memory for memory, _ in self._live(held)]
        for memory in live if more else ():
            self.shelves.memories[memory.key] = replace(memory, tags=tidy([*memory.tags, *more]))
        if more and live:
            self.shelves.note("tag", held.namespace, [memory.id for memory in live], more)
        self.shelves.documents[held.id] = held = replace(held, tags=joined)
        return held

    def _replace(self, held: HeldDocument, placed: Sequence[PlacedSection]) -> None:
        live = {memory.id: memory for memory, _ in self._live(held)}
        if not live.keys() >= {section.kept for section in placed if section.kept is not None}:
            raise ConflictError(f"document: {held.id!r} was changed meanwhile")
        self._unlink(held, {live[section.kept].key for section in placed if section.kept is not None})
        times = section_times(held.dated_at, [section.draft for section in placed])
        moved = []
        for place, (section, time) in enumerate(zip(placed, times, strict=True)):
            draft = section.draft
            if section.kept is None:
                memory = self._new(held, section, time)
            else:
                memory = live[section.kept]
                if memory.created_at != time:
                    moved.append(memory.id)
                    self.shelves.memories[memory.key] = replace(memory, created_at=time)
            self.shelves.sections[memory.key] = HeldSection(held.id, place, draft.heading, draft.page, draft.digest)
        if moved:
            self.shelves.note("update", held.namespace, moved)

    def _new(self, held: HeldDocument, section: PlacedSection, time: datetime) -> Memory:
        memory = Memory(
            key=next(self.shelves.keys),
            id=uuid.uuid4().hex,
            namespace=held.namespace,
            content=section.draft.content,
            tags=tidy(held.tags),
            type=DOCUMENT,
            metadata={},
            conversation_id=held.id,
            created_at=time,
            updated_at=self.shelves.now(),
            revision=1,
            embedded=False,
        )
        assert section.embedded is not None
        self.shelves.keep(memory)
        self.shelves.file(memory.key, section.embedded.chunks, section.embedded.space)
        self.shelves.note("store", memory.namespace, [memory.id], memory.tags)
        return memory


def _times(held: HeldDocument, placed: Sequence[PlacedSection], latest: datetime | None) -> Iterator[datetime]:
    if latest is None:
        return section_times(held.dated_at, [section.draft for section in placed])
    late = [
        replace(draft, created_at=None) if draft.created_at and draft.created_at <= latest else draft
        for draft in (section.draft for section in placed)
    ]
    return section_times(latest + STEP, late)
