"""Large files and documents, a part in each transaction; every function works inside the caller's.

A document is partial from its first part to the last one, which `files.put` or `files.remove` is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from memory_mcp.domain.documents import PARTIAL, PARTLY_REMOVED, PARTLY_WRITTEN, DocumentChange, FileChange
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import MAX_TAGS
from memory_mcp.domain.names import tags_once
from memory_mcp.storage.documents import files, sections
from memory_mcp.storage.documents.session import DocumentSession, first
from memory_mcp.storage.rows import to_json

_DELETED_AT_ONCE: Final = 500
"""Sections, in one transaction: about half a second, while other processes wait to write."""


def add_sections(db: DocumentSession, change: FileChange, documents: Sequence[DocumentChange]) -> None:
    """Write new sections behind the known ones of documents, which are partial from now on.

    They belong to the digest that the file's documents have so far, so that they are known when it is read again.

    Raises:
        ConflictError: a known document is gone, or another process has written all of one.
    """
    held = files.known_rows(db, change.namespace, change.uri, change.stamp.digest)
    _check_unwritten(db, change, {document_id: revision for _, document_id, _, _, revision, _ in held})
    ids = {part: document_id for _, document_id, part, *_ in held}
    if not {one.id for one in change.known} <= set(ids.values()):
        raise ConflictError(f"file: a document of {change.uri!r} was removed meanwhile")
    digest = held[0][3] if held else change.stamp.digest
    if not held:  # its time is not known yet: whoever compares it reads it again
        files.put_file(db, replace(change, stamp=replace(change.stamp, modified_ns=None)))
    for new in documents:
        document_id = ids.get(new.part) or files.new_document(db, change, new)
        if new.part not in ids:
            db.run(
                "UPDATE documents SET title = ?1, media_type = ?2, pages = ?3 WHERE id = ?4",
                new.title,
                new.media_type,
                new.pages,
                document_id,
            )
        key, dated_at, tags = files.dated_and_tagged(db, document_id)
        if new.part not in ids:
            tags = tags_once(change.tags)[:MAX_TAGS]
        _make_partial(db, key, PARTLY_WRITTEN)
        db.run("UPDATE documents SET digest = ?1, tags = ?2 WHERE key = ?3", digest, to_json(tags), key)
        sections.append(db, (key, document_id, change.namespace), new.sections or (), dated_at, tags)
        db.log_change("document", change.namespace, [document_id], tags)


def _check_unwritten(db: DocumentSession, change: FileChange, held: Mapping[str, int]) -> None:
    """Check that every document is as it is known, or partial; a process that slept may come after another is done.

    Raises:
        ConflictError: one is not.
    """
    known = {one.id: one.revision for one in change.known}
    for document_id, revision in held.items():
        refusal = first(db.rows("SELECT refusal FROM documents WHERE id = ?1", document_id))
        if refusal != PARTIAL and known.get(document_id) != revision:
            raise ConflictError(f"file: another process has written {change.uri!r} meanwhile")


def _make_partial(db: DocumentSession, key: int, reason: str) -> None:
    db.run(
        "UPDATE documents SET refusal = ?1, error = ?2, revision = revision + 1, updated_at = ?3 WHERE key = ?4",
        PARTIAL,
        reason,
        db.now,
        key,
    )


def _key_of(db: DocumentSession, document_id: str) -> int | None:
    return cast("int | None", first(db.rows("SELECT key FROM documents WHERE id = ?1", document_id)))


def remove_sections(db: DocumentSession, document_id: str, memory_ids: Sequence[str]) -> None:
    """Delete sections of a document, which is partial from now on."""
    key = _key_of(db, document_id)
    if key is not None:
        _make_partial(db, key, PARTLY_WRITTEN)
        sections.remove_named(db, key, memory_ids)


def remove_some(db: DocumentSession, document_ids: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Remove the first documents, or the first sections of a large one; return how many, and those that are left."""
    removed, room = 0, _DELETED_AT_ONCE
    for number, document_id in enumerate(document_ids):
        key = _key_of(db, document_id)
        count = 0 if key is None else sections.count(db, key)
        if count > room:
            if key is not None and not number:
                _make_partial(db, key, PARTLY_REMOVED)
                sections.remove_first(db, key, room)
            return removed, document_ids[number:]
        removed += files.remove(db, [document_id])
        room -= count + 1
        if room <= 0:
            return removed, document_ids[number + 1 :]
    return removed, ()
