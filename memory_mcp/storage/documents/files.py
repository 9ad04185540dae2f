"""Files and the documents in them; every function works inside the caller's session."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

from memory_mcp.domain.documents import (
    PARTIAL,
    Document,
    DocumentChange,
    DocumentState,
    FileChange,
    FileStamp,
    KnownDocument,
)
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import MAX_TAGS
from memory_mcp.domain.names import folded, tags_once
from memory_mcp.storage.documents import sections
from memory_mcp.storage.documents.sections import FIRST_FILE, uri_of
from memory_mcp.storage.documents.session import DocumentSession, SqlValue, first
from memory_mcp.storage.rows import from_micros, to_json

_BELOW: Final = "(uri = ?2 OR (uri >= ?2 || '/' AND uri < ?2 || '0'))"
"""At a place or below it; "0" follows "/"."""
_STATE: Final = f"""
  CASE WHEN {FIRST_FILE.format(column="missing_at")} IS NOT NULL THEN 'missing'
       WHEN d.refusal = '{PARTIAL}' THEN 'partial' WHEN d.refusal IS NOT NULL THEN 'failed' ELSE 'ok' END
"""
_COLUMNS: Final = f"""
  d.key, d.id, d.namespace, d.digest, d.part, d.title, d.media_type, d.pages, d.refusal, d.error, d.tags, d.created_at,
  d.updated_at, {FIRST_FILE.format(column="uri")}, {FIRST_FILE.format(column="size")},
  {FIRST_FILE.format(column="modified")},
  (SELECT count(*) FROM sections AS s JOIN memories AS m USING (key) WHERE s.document = d.key AND m.deleted_at IS NULL),
  {_STATE}
"""  # noqa: S608 - constants


class _DocumentRow(NamedTuple):
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
    created_at: int
    updated_at: int
    uri: str | None
    size: int | None
    modified: int | None
    sections: int
    state: str


def stamps(db: DocumentSession, namespace: str, uris: Sequence[str]) -> dict[str, FileStamp]:
    """Return what files were when they were read, unless they are missing or any document in them failed."""
    rows = db.rows(
        f"""SELECT uri, digest, size, modified FROM document_files AS f
            WHERE namespace = ?1 AND uri IN ({db.texts(2)}) AND missing_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM documents AS d
                              WHERE d.namespace = ?1 AND d.digest = f.digest AND (d.refusal IS NOT NULL OR (
                                EXISTS (SELECT 1 FROM sections WHERE document = d.key) AND NOT EXISTS (
                                  SELECT 1 FROM sections AS s JOIN memories AS m USING (key)
                                  WHERE s.document = d.key AND m.deleted_at IS NULL))))""",  # noqa: S608 - a constant
        namespace,
        to_json(list(uris)),
    )
    return _to_stamps(rows)


def below(db: DocumentSession, namespace: str, place: str) -> dict[str, FileStamp]:
    """Return the files with this URI or below it that are not missing."""
    rows = db.rows(
        f"""SELECT uri, digest, size, modified FROM document_files
            WHERE namespace = ?1 AND missing_at IS NULL AND {_BELOW}""",  # noqa: S608 - a constant
        namespace,
        place,
    )
    return _to_stamps(rows)


def _to_stamps(rows: list[tuple[SqlValue, ...]]) -> dict[str, FileStamp]:
    return {
        uri: FileStamp(digest, size, modified)
        for uri, digest, size, modified in cast("list[tuple[str, str, int, int | None]]", rows)
    }


def known(db: DocumentSession, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
    """Return the documents of this digest, else those that the file alone has."""
    return tuple(
        KnownDocument(document_id, part, held, revision, bool(failed), live, not live and sections.has_any(db, key))
        for key, document_id, part, held, revision, failed in known_rows(db, namespace, uri, digest)
        for live in [sections.known(db, key)]
    )


def known_rows(db: DocumentSession, namespace: str, uri: str, digest: str) -> list[tuple[int, str, str, str, int, int]]:
    """Return key, id, part, digest, revision and whether it failed, of the documents as in `known`."""
    if same := _of_digest(db, namespace, digest):
        return same
    before = db.rows(
        """SELECT digest FROM document_files AS f WHERE namespace = ?1 AND uri = ?2 AND NOT EXISTS (
             SELECT 1 FROM document_files AS o
             WHERE o.namespace = ?1 AND o.digest = f.digest AND o.uri <> ?2 AND o.missing_at IS NULL)""",
        namespace,
        uri,
    )
    return _of_digest(db, namespace, cast("str", first(before))) if before else []


def _of_digest(db: DocumentSession, namespace: str, digest: str) -> list[tuple[int, str, str, str, int, int]]:
    rows = db.rows(
        """SELECT key, id, part, digest, revision, refusal IS NOT NULL FROM documents
           WHERE namespace = ?1 AND digest = ?2 ORDER BY key""",
        namespace,
        digest,
    )
    return cast("list[tuple[int, str, str, str, int, int]]", rows)


def document(db: DocumentSession, document_id: str, namespace: str, *, any_namespace: bool) -> Document:
    """Return a document.

    Raises:
        NotFoundError: it does not exist.
    """
    found = _to_documents(
        db,
        db.rows(
            f"SELECT {_COLUMNS} FROM documents AS d WHERE id = ?1 AND (?2 OR namespace = ?3)",  # noqa: S608 - constants
            document_id,
            any_namespace,
            namespace,
        ),
    )
    if not found:
        raise NotFoundError(f"id: no document {document_id!r} is stored")
    return found[0]


def documents(
    db: DocumentSession, namespace: str, after: int, limit: int, state: DocumentState | None, job: str | None
) -> list[Document]:
    """Return the first documents after a key."""
    conditions = ["d.namespace = ?1 AND d.key > ?2"]
    given: list[SqlValue] = [namespace, after, limit]
    if state is not None:
        given.append(state.value)
        conditions.append(f"{_STATE} = ?{len(given)}")
    if job is not None:
        given.append(job)
        conditions.append(
            f"""d.digest IN (
                  SELECT f.digest FROM jobs AS j JOIN job_files AS i ON i.job = j.key
                  JOIN document_files AS f ON f.namespace = j.namespace AND f.uri = i.uri
                  WHERE j.id = ?{len(given)})"""  # noqa: S608 - a number
        )
    where = " AND ".join(conditions)
    return _to_documents(
        db,
        db.rows(
            f"SELECT {_COLUMNS} FROM documents AS d WHERE {where} ORDER BY d.key LIMIT ?3",  # noqa: S608 - only parameters
            *given,
        ),
    )


def _to_documents(db: DocumentSession, rows: Sequence[tuple[SqlValue, ...]]) -> list[Document]:
    made = [_DocumentRow._make(row) for row in rows]
    uris = defaultdict[tuple[str, str], list[str]](list)
    held = db.rows(
        f"""SELECT namespace, digest, uri FROM document_files
            WHERE namespace IN ({db.texts(1)}) AND digest IN ({db.texts(2)}) ORDER BY uri""",  # noqa: S608 - constants
        to_json(sorted({row.namespace for row in made})),
        to_json(sorted({row.digest for row in made})),
    )
    for namespace, digest, uri in cast("list[tuple[str, str, str]]", held):
        uris[namespace, digest].append(uri)
    return [_to_document(row, uris[row.namespace, row.digest]) for row in made]


def _to_document(row: _DocumentRow, uris: Sequence[str]) -> Document:
    return Document(
        key=row.key,
        id=row.id,
        namespace=row.namespace,
        uri=uri_of(row.uri, row.part),
        uris=tuple(uris),
        part=row.part,
        title=row.title,
        media_type=row.media_type,
        pages=row.pages,
        stamp=FileStamp(row.digest, row.size or 0, row.modified),
        state=DocumentState(row.state),
        refusal=row.refusal,
        error=row.error,
        sections=row.sections,
        tags=tuple(json.loads(row.tags)),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )


def put(db: DocumentSession, change: FileChange) -> None:
    """Write a file with its documents.

    Raises:
        ConflictError: they are no longer what the change says is known.
    """
    held = known_rows(db, change.namespace, change.uri, change.stamp.digest)
    if [(row[1], row[4]) for row in held] != [(one.id, one.revision) for one in change.known]:
        raise ConflictError(f"file: {change.uri!r} was read by another process meanwhile")
    before = first(
        db.rows("SELECT digest FROM document_files WHERE namespace = ?1 AND uri = ?2", change.namespace, change.uri)
    )
    put_file(db, change)
    if change.documents is None:
        _add_tags(db, change)
    else:
        ids = {part: document_id for _, document_id, part, *_ in held}
        for new in change.documents:
            _put_document(db, change, new, ids.pop(new.part, None))
        remove(db, list(ids.values()))
    for digest in {before or change.stamp.digest, change.stamp.digest}:
        _drop_orphans(db, change.namespace, cast("str", digest))


def put_file(db: DocumentSession, change: FileChange) -> None:
    stamp = change.stamp
    db.run(
        """INSERT INTO document_files (namespace, uri, digest, size, modified, seen_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (namespace, uri) DO UPDATE SET digest = excluded.digest, size = excluded.size,
             modified = excluded.modified, seen_at = excluded.seen_at, missing_at = NULL""",
        change.namespace,
        change.uri,
        stamp.digest,
        stamp.size,
        stamp.modified_ns,
        db.now,
    )
    # A missing file with the same bytes was renamed to this one.
    db.run(
        "DELETE FROM document_files WHERE namespace = ?1 AND digest = ?2 AND missing_at IS NOT NULL",
        change.namespace,
        stamp.digest,
    )


def _put_document(db: DocumentSession, change: FileChange, new: DocumentChange, known_id: str | None) -> None:
    document_id = known_id or new_document(db, change, new)
    key, dated_at, held = dated_and_tagged(db, document_id)
    tags, more = _joined(held, change.tags)
    db.run(
        """UPDATE documents SET digest = ?1, refusal = ?2, error = ?3, tags = ?4, revision = revision + 1,
             updated_at = ?5 WHERE key = ?6""",
        change.stamp.digest,
        new.refusal,
        new.error,
        to_json(tags),
        db.now,
        key,
    )
    if known_id is None or new.sections is not None:  # else it is what it was when it was last read
        db.run(
            "UPDATE documents SET title = ?1, media_type = ?2, pages = ?3 WHERE key = ?4",
            new.title,
            new.media_type,
            new.pages,
            key,
        )
    if more:
        sections.add_tags(db, key, change.namespace, more)
    if new.sections is not None:
        sections.replace_all(db, (key, document_id, change.namespace), new.sections, dated_at, tags)
    db.log_change("document", change.namespace, [document_id], tags)


def new_document(db: DocumentSession, change: FileChange, new: DocumentChange) -> str:
    """Make a document that no digest has yet; return its id."""
    document_id, modified = uuid.uuid4().hex, change.stamp.modified_ns
    dated_at = db.now if modified is None or modified > db.now * 1_000 else modified // 1_000
    db.run(
        """INSERT INTO documents (id, namespace, digest, part, media_type, tags, dated_at, created_at, updated_at)
           VALUES (?1, ?2, '', ?3, '', '[]', ?4, ?5, ?5)""",
        document_id,
        change.namespace,
        new.part,
        dated_at,
        db.now,
    )
    return document_id


def dated_and_tagged(db: DocumentSession, document_id: str) -> tuple[int, int, list[str]]:
    """Return a document's key, the time of its first section, and its tags."""
    [row] = db.rows("SELECT key, dated_at, tags FROM documents WHERE id = ?1", document_id)
    key, dated_at, held = cast("tuple[int, int, str]", row)
    return key, dated_at, json.loads(held)


def _joined(held: list[str], given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return all tags, and those that are new."""
    tags = tags_once([*held, *given])[:MAX_TAGS]
    known_ones = set(map(folded, held))
    return tags, [tag for tag in tags if folded(tag) not in known_ones]


def _add_tags(db: DocumentSession, change: FileChange) -> None:
    rows = db.rows(
        "SELECT key, tags FROM documents WHERE namespace = ?1 AND digest = ?2", change.namespace, change.stamp.digest
    )
    for key, held in cast("list[tuple[int, str]]", rows):
        tags, more = _joined(json.loads(held), change.tags)
        if more:
            db.run("UPDATE documents SET tags = ?1, updated_at = ?2 WHERE key = ?3", to_json(tags), db.now, key)
            sections.add_tags(db, key, change.namespace, more)


def _drop_orphans(db: DocumentSession, namespace: str, digest: str) -> None:
    """Remove the documents of a digest that no file has, the missing ones apart, and the files without a document."""
    rows = db.rows(
        """SELECT id FROM documents WHERE namespace = ?1 AND digest = ?2 AND NOT EXISTS (
             SELECT 1 FROM document_files WHERE namespace = ?1 AND digest = ?2 AND missing_at IS NULL)""",
        namespace,
        digest,
    )
    remove(db, [document_id for (document_id,) in cast("list[tuple[str]]", rows)])
    _drop_files(db, namespace, digest)


def _drop_files(db: DocumentSession, namespace: str, digest: str) -> None:
    """Forget the files of a digest that has no document."""
    db.run(
        """DELETE FROM document_files WHERE namespace = ?1 AND digest = ?2 AND NOT EXISTS (
             SELECT 1 FROM documents WHERE namespace = ?1 AND digest = ?2)""",
        namespace,
        digest,
    )


def remove(db: DocumentSession, document_ids: Iterable[str]) -> int:
    """Remove documents; return how many there were."""
    removed = 0
    for document_id in document_ids:
        rows = db.rows("SELECT key, namespace, digest FROM documents WHERE id = ?1", document_id)
        if not rows:
            continue
        key, namespace, digest = cast("tuple[int, str, str]", rows[0])
        sections.remove(db, key)
        db.run("DELETE FROM documents WHERE key = ?1", key)
        db.log_change("document", namespace, [document_id])
        removed += 1
        _drop_files(db, namespace, digest)
    return removed


def mark_missing(db: DocumentSession, namespace: str, folder: str, since: int) -> int:
    """Mark files in a folder, or one file, that were last seen before a moment; return how many."""
    marked = db.run(
        f"""UPDATE document_files SET missing_at = ?4
            WHERE namespace = ?1 AND missing_at IS NULL AND seen_at < ?3 AND {_BELOW}""",  # noqa: S608 - a constant
        namespace,
        folder,
        since,
        db.now,
    )
    if not marked:
        return 0
    db.run(
        """DELETE FROM document_files AS f WHERE namespace = ?1 AND missing_at = ?2 AND EXISTS (
             SELECT 1 FROM document_files AS o
             WHERE o.namespace = ?1 AND o.digest = f.digest AND o.missing_at IS NULL)""",
        namespace,
        db.now,
    )
    db.log_change("document", namespace, [])
    return marked
