"""Documents out of a store and into another; every function works inside the caller's session."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, cast

from memory_mcp.domain.documents import (
    EMPTIED,
    PARTIAL,
    PARTLY_WRITTEN,
    DocumentRecord,
    FileRecord,
    SectionRecord,
)
from memory_mcp.domain.errors import ConflictError
from memory_mcp.storage.documents.sections import has_any
from memory_mcp.storage.documents.session import DocumentSession, first
from memory_mcp.storage.rows import from_micros, to_json, to_micros

_COLUMNS: Final = """
  key, id, namespace, digest, part, title, media_type, pages, refusal, error, tags, dated_at, created_at, updated_at
"""
_FileRow = tuple[str, str, str, int, int | None, int, int | None]


class _RecordRow(NamedTuple):
    """A row of _COLUMNS."""

    key: int
    id: str
    namespace: str
    digest: str
    part: str
    title: str | None
    media_type: str
    pages: int | None
    refusal: str | None
    error: str | None
    tags: str
    dated_at: int
    created_at: int
    updated_at: int


def export(db: DocumentSession, after: int, limit: int) -> list[DocumentRecord]:
    """Return the first documents after a key."""
    rows = [
        _RecordRow._make(row)
        for row in db.rows(
            f"SELECT {_COLUMNS} FROM documents WHERE key > ?1 ORDER BY key LIMIT ?2",  # noqa: S608 - a constant
            after,
            limit,
        )
    ]
    files = _files(db, rows)
    return [_to_record(db, row, files.get((row.namespace, row.digest), ())) for row in rows]


def _files(db: DocumentSession, of: Sequence[_RecordRow]) -> Mapping[tuple[str, str], Sequence[FileRecord]]:
    found = defaultdict[tuple[str, str], list[FileRecord]](list)
    rows = db.rows(
        f"""SELECT namespace, digest, uri, size, modified, seen_at, missing_at FROM document_files
            WHERE namespace IN ({db.texts(1)}) AND digest IN ({db.texts(2)}) ORDER BY uri""",  # noqa: S608 - constants
        to_json(sorted({row.namespace for row in of})),
        to_json(sorted({row.digest for row in of})),
    )
    for namespace, digest, uri, size, modified, seen, missing in cast("list[_FileRow]", rows):
        missing_at = None if missing is None else from_micros(missing)
        found[namespace, digest].append(FileRecord(uri, size, modified, from_micros(seen), missing_at))
    return found


def _to_record(db: DocumentSession, row: _RecordRow, files: Sequence[FileRecord]) -> DocumentRecord:
    sections = _sections(db, row.key)
    is_emptied = row.refusal is None and not sections and has_any(db, row.key)
    return DocumentRecord(
        key=row.key,
        id=row.id,
        namespace=row.namespace,
        digest=row.digest,
        part=row.part,
        title=row.title,
        media_type=row.media_type,
        pages=row.pages,
        refusal=PARTIAL if is_emptied else row.refusal,
        error=EMPTIED if is_emptied else row.error,
        tags=tuple(json.loads(row.tags)),
        dated_at=from_micros(row.dated_at),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
        files=tuple(files),
        sections=sections,
    )


def _sections(db: DocumentSession, document: int) -> tuple[SectionRecord, ...]:
    rows = db.rows(
        """SELECT m.id, s.heading, s.page, s.digest FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ?1 AND m.deleted_at IS NULL ORDER BY s.place""",
        document,
    )
    return tuple(
        SectionRecord(memory_id, tuple(json.loads(heading)), page, digest)
        for memory_id, heading, page, digest in cast("list[tuple[str, str, int | None, bytes]]", rows)
    )


def import_record(db: DocumentSession, record: DocumentRecord) -> bool:
    """Write a document; return whether it is new.

    Raises:
        ConflictError: its file was ingested here on its own.
    """
    if _is_known(db, record):
        return False
    _check_apart(db, record)
    places = _places(db, record)
    if len(places) < len(record.sections) and record.refusal is None:
        record = replace(record, refusal=PARTIAL, error=PARTLY_WRITTEN)
    key = _insert(db, record)
    db.run_many(
        """INSERT INTO document_files (namespace, uri, digest, size, modified, seen_at, missing_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING""",
        [
            (
                record.namespace,
                file.uri,
                record.digest,
                file.size,
                file.modified_ns,
                to_micros(file.seen_at),
                None if file.missing_at is None else to_micros(file.missing_at),
            )
            for file in record.files
        ],
    )
    db.run_many(
        "INSERT INTO sections (key, document, place, heading, page, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        [
            (memory, key, place, to_json(list(section.heading)), section.page, section.digest)
            for place, (memory, section) in enumerate(places)
        ],
    )
    db.log_change("document", record.namespace, [record.id], record.tags)
    return True


def _is_known(db: DocumentSession, record: DocumentRecord) -> bool:
    held = first(db.rows("SELECT namespace FROM documents WHERE id = ?1", record.id))
    if held not in {None, record.namespace}:
        raise ConflictError(f"document: {record.id!r} belongs to a document of another namespace")
    return held is not None


def _check_apart(db: DocumentSession, record: DocumentRecord) -> None:
    """Check that the store does not know the same file from elsewhere.

    Raises:
        ConflictError: it does.
    """
    uris = to_json([file.uri for file in record.files])
    taken = db.rows(
        f"""SELECT 1 FROM documents WHERE namespace = ?1 AND digest = ?3 AND part = ?4
            UNION ALL SELECT 1 FROM document_files
            WHERE namespace = ?1 AND uri IN ({db.texts(2)}) AND digest <> ?3 LIMIT 1""",  # noqa: S608 - a constant
        record.namespace,
        uris,
        record.digest,
        record.part,
    )
    if taken:
        named = record.files[0].uri if record.files else record.title or record.id
        raise ConflictError(
            f"document: {named!r} was ingested here as well; its imported sections are memories of the conversation "
            f"{record.id!r}: keep them, or run `memory-mcp delete --conversation-id {record.id}`"
        )


def _places(db: DocumentSession, record: DocumentRecord) -> list[tuple[int, SectionRecord]]:
    """Return the keys of the memories that are its sections; those that are not there are left out."""
    rows = db.rows(
        f"""SELECT id, key FROM memories WHERE namespace = ?1 AND id IN ({db.texts(2)}) AND conversation_id = ?3
              AND deleted_at IS NULL AND key NOT IN (SELECT key FROM sections)""",  # noqa: S608 - a constant
        record.namespace,
        to_json([section.memory_id for section in record.sections]),
        record.id,
    )
    keys = dict(cast("list[tuple[str, int]]", rows))
    return [(keys[section.memory_id], section) for section in record.sections if section.memory_id in keys]


def _insert(db: DocumentSession, record: DocumentRecord) -> int:
    [(key,)] = db.rows(
        """INSERT INTO documents (id, namespace, digest, part, title, media_type, pages, refusal, error, tags, dated_at,
             created_at, updated_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING key""",
        record.id,
        record.namespace,
        record.digest,
        record.part,
        record.title,
        record.media_type,
        record.pages,
        record.refusal,
        record.error,
        to_json(list(record.tags)),
        to_micros(record.dated_at),
        to_micros(record.created_at),
        to_micros(record.updated_at),
    )
    return cast("int", key)
