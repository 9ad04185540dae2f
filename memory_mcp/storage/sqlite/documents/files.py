"""Files and the documents in them; every function works inside the caller's transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import apsw

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
from memory_mcp.storage.rows import from_micros, to_json
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.documents import sections
from memory_mcp.storage.sqlite.documents.sections import FIRST_FILE, uri_of
from memory_mcp.storage.where import WhereClause

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
  (SELECT json_group_array(uri ORDER BY uri) FROM document_files AS f
   WHERE f.namespace = d.namespace AND f.digest = d.digest),
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
    uris: str
    sections: int
    state: str


def stamps(db: apsw.Connection, namespace: str, uris: Sequence[str]) -> dict[str, FileStamp]:
    """Return what files were when they were read, unless they are missing or any document in them failed."""
    rows = db.execute(
        """SELECT uri, digest, size, modified FROM document_files AS f
           WHERE namespace = ?1 AND uri IN (SELECT value FROM json_each(?2)) AND missing_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM documents AS d
                             WHERE d.namespace = ?1 AND d.digest = f.digest AND (d.refusal IS NOT NULL OR (
                               EXISTS (SELECT 1 FROM sections WHERE document = d.key) AND NOT EXISTS (
                                 SELECT 1 FROM sections AS s JOIN memories AS m USING (key)
                                 WHERE s.document = d.key AND m.deleted_at IS NULL))))""",
        (namespace, to_json(list(uris))),
    )
    return _to_stamps(rows)


def below(db: apsw.Connection, namespace: str, place: str) -> dict[str, FileStamp]:
    """Return the files with this URI or below it that are not missing."""
    rows = db.execute(
        f"""SELECT uri, digest, size, modified FROM document_files
            WHERE namespace = ?1 AND missing_at IS NULL AND {_BELOW}""",  # noqa: S608 - a constant
        (namespace, place),
    )
    return _to_stamps(rows)


def _to_stamps(rows: Iterable[apsw.SQLiteValues]) -> dict[str, FileStamp]:
    return {
        uri: FileStamp(digest, size, modified)
        for uri, digest, size, modified in cast("Iterable[tuple[str, str, int, int | None]]", rows)
    }


def known(db: apsw.Connection, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
    """Return the documents of this digest, else those that the file alone has."""
    return tuple(
        KnownDocument(document_id, part, held, revision, bool(failed), live, not live and sections.has_any(db, key))
        for key, document_id, part, held, revision, failed in known_rows(db, namespace, uri, digest)
        for live in [sections.known(db, key)]
    )


def known_rows(db: apsw.Connection, namespace: str, uri: str, digest: str) -> list[tuple[int, str, str, str, int, int]]:
    """Return key, id, part, digest, revision and whether it failed, of the documents as in `known`."""
    if same := _of_digest(db, namespace, digest):
        return same
    row = db.execute(
        """SELECT digest FROM document_files AS f WHERE namespace = ?1 AND uri = ?2 AND NOT EXISTS (
             SELECT 1 FROM document_files AS o
             WHERE o.namespace = ?1 AND o.digest = f.digest AND o.uri <> ?2 AND o.missing_at IS NULL)""",
        (namespace, uri),
    ).get
    return [] if row is None else _of_digest(db, namespace, cast("str", row))


def _of_digest(db: apsw.Connection, namespace: str, digest: str) -> list[tuple[int, str, str, str, int, int]]:
    rows = db.execute(
        """SELECT key, id, part, digest, revision, refusal IS NOT NULL FROM documents
           WHERE namespace = ? AND digest = ? ORDER BY key""",
        (namespace, digest),
    ).fetchall()
    return cast("list[tuple[int, str, str, str, int, int]]", rows)


def document(db: apsw.Connection, document_id: str, namespace: str, *, any_namespace: bool) -> Document:
    """Return a document.

    Raises:
        NotFoundError: it does not exist.
    """
    row = db.execute(
        f"SELECT {_COLUMNS} FROM documents AS d WHERE id = ? AND (? OR namespace = ?)",  # noqa: S608 - constants
        (document_id, any_namespace, namespace),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"id: no document {document_id!r} is stored")
    return _to_document(row)


def documents(
    db: apsw.Connection, namespace: str, after: int, limit: int, state: DocumentState | None, job: str | None
) -> list[Document]:
    """Return the first documents after a key."""
    where = WhereClause[apsw.SQLiteValue]()
    where.add("d.namespace = ? AND d.key > ?", namespace, after)
    if state is not None:
        where.add(f"{_STATE} = ?", state.value)
    if job is not None:
        where.add(
            """d.digest IN (SELECT f.digest FROM jobs AS j JOIN job_files AS i ON i.job = j.key
                            JOIN document_files AS f ON f.namespace = j.namespace AND f.uri = i.uri WHERE j.id = ?)""",
            job,
        )
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM documents AS d WHERE {where.sql} ORDER BY d.key LIMIT ?",  # noqa: S608 - only parameters
        (*where.parameters, limit),
    )
    return [_to_document(row) for row in rows]


def _to_document(values: apsw.SQLiteValues) -> Document:
    row = _DocumentRow._make(values)
    return Document(
        key=row.key,
        id=row.id,
        namespace=row.namespace,
        uri=uri_of(row.uri, row.part),
        uris=tuple(json.loads(row.uris)),
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


def put(db: apsw.Connection, change: FileChange, now: int) -> None:
    """Write a file with its documents.

    Raises:
        ConflictError: they are no longer what the change says is known.
    """
    held = known_rows(db, change.namespace, change.uri, change.stamp.digest)
    if [(row[1], row[4]) for row in held] != [(one.id, one.revision) for one in change.known]:
        raise ConflictError(f"file: {change.uri!r} was read by another process meanwhile")
    before = db.execute(
        "SELECT digest FROM document_files WHERE namespace = ? AND uri = ?", (change.namespace, change.uri)
    ).get
    put_file(db, change, now)
    if change.documents is None:
        _add_tags(db, change, now)
    else:
        ids = {part: document_id for _, document_id, part, *_ in held}
        for new in change.documents:
            _put_document(db, change, new, ids.pop(new.part, None), now)
        remove(db, list(ids.values()), now)
    for digest in {before or change.stamp.digest, change.stamp.digest}:
        _drop_orphans(db, change.namespace, cast("str", digest), now)


def put_file(db: apsw.Connection, change: FileChange, now: int) -> None:
    stamp = change.stamp
    db.execute(
        """INSERT INTO document_files (namespace, uri, digest, size, modified, seen_at) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET digest = excluded.digest, size = excluded.size, modified = excluded.modified,
             seen_at = excluded.seen_at, missing_at = NULL""",
        (change.namespace, change.uri, stamp.digest, stamp.size, stamp.modified_ns, now),
    )
    # A missing file with the same bytes was renamed to this one.
    db.execute(
        "DELETE FROM document_files WHERE namespace = ? AND digest = ? AND missing_at IS NOT NULL",
        (change.namespace, stamp.digest),
    )


def _put_document(db: apsw.Connection, change: FileChange, new: DocumentChange, known_id: str | None, now: int) -> None:
    document_id = known_id or new_document(db, change, new, now)
    key, first, held = dated_and_tagged(db, document_id)
    tags, more = _joined(held, change.tags)
    db.execute(
        """UPDATE documents SET digest = ?, refusal = ?, error = ?, tags = ?, revision = revision + 1, updated_at = ?
           WHERE key = ?""",
        (change.stamp.digest, new.refusal, new.error, to_json(tags), now, key),
    )
    if known_id is None or new.sections is not None:  # else it is what it was when it was last read
        db.execute(
            "UPDATE documents SET title = ?, media_type = ?, pages = ? WHERE key = ?",
            (new.title, new.media_type, new.pages, key),
        )
    if more:
        sections.add_tags(db, key, change.namespace, more, now)
    if new.sections is not None:
        sections.replace_all(db, (key, document_id, change.namespace), new.sections, first, tags, now)
    log_change(db, now, "document", change.namespace, [document_id], tags)


def new_document(db: apsw.Connection, change: FileChange, new: DocumentChange, now: int) -> str:
    """Make a document that no digest has yet; return its id."""
    document_id, modified = uuid.uuid4().hex, change.stamp.modified_ns
    first = now if modified is None or modified > now * 1_000 else modified // 1_000
    db.execute(
        """INSERT INTO documents (id, namespace, digest, part, media_type, tags, dated_at, created_at, updated_at)
           VALUES (?, ?, '', ?, '', '[]', ?, ?, ?)""",
        (document_id, change.namespace, new.part, first, now, now),
    )
    return document_id


def dated_and_tagged(db: apsw.Connection, document_id: str) -> tuple[int, int, list[str]]:
    """Return a document's key, the time of its first section, and its tags."""
    row = db.execute("SELECT key, dated_at, tags FROM documents WHERE id = ?", (document_id,)).fetchone()
    key, first, held = cast("tuple[int, int, str]", row)
    return key, first, json.loads(held)


def _joined(held: list[str], given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return all tags, and those that are new."""
    tags = tags_once([*held, *given])[:MAX_TAGS]
    known_ones = set(map(folded, held))
    return tags, [tag for tag in tags if folded(tag) not in known_ones]


def _add_tags(db: apsw.Connection, change: FileChange, now: int) -> None:
    rows = db.execute(
        "SELECT key, tags FROM documents WHERE namespace = ? AND digest = ?", (change.namespace, change.stamp.digest)
    ).fetchall()
    for key, held in cast("list[tuple[int, str]]", rows):
        tags, more = _joined(json.loads(held), change.tags)
        if more:
            db.execute("UPDATE documents SET tags = ?, updated_at = ? WHERE key = ?", (to_json(tags), now, key))
            sections.add_tags(db, key, change.namespace, more, now)


def _drop_orphans(db: apsw.Connection, namespace: str, digest: str, now: int) -> None:
    """Remove the documents of a digest that no file has, the missing ones apart, and the files without a document."""
    rows = db.execute(
        """SELECT id FROM documents WHERE namespace = ?1 AND digest = ?2 AND NOT EXISTS (
             SELECT 1 FROM document_files WHERE namespace = ?1 AND digest = ?2 AND missing_at IS NULL)""",
        (namespace, digest),
    ).fetchall()
    remove(db, [document_id for (document_id,) in cast("list[tuple[str]]", rows)], now)
    db.execute(
        """DELETE FROM document_files WHERE namespace = ?1 AND digest = ?2 AND NOT EXISTS (
             SELECT 1 FROM documents WHERE namespace = ?1 AND digest = ?2)""",
        (namespace, digest),
    )


def remove(db: apsw.Connection, document_ids: Iterable[str], now: int) -> int:
    """Remove documents; return how many there were."""
    removed = 0
    for document_id in document_ids:
        row = db.execute("SELECT key, namespace, digest FROM documents WHERE id = ?", (document_id,)).fetchone()
        if row is None:
            continue
        key, namespace, digest = cast("tuple[int, str, str]", row)
        sections.remove(db, key, now)
        db.execute("DELETE FROM documents WHERE key = ?", (key,))
        log_change(db, now, "document", namespace, [document_id])
        removed += 1
        db.execute(
            """DELETE FROM document_files WHERE namespace = ?1 AND digest = ?2 AND NOT EXISTS (
                 SELECT 1 FROM documents WHERE namespace = ?1 AND digest = ?2)""",
            (namespace, digest),
        )
    return removed


def mark_missing(db: apsw.Connection, namespace: str, folder: str, since: int, now: int) -> int:
    """Mark files in a folder, or one file, that were last seen before a moment; return how many."""
    db.execute(
        f"""UPDATE document_files SET missing_at = ?4
            WHERE namespace = ?1 AND missing_at IS NULL AND seen_at < ?3 AND {_BELOW}""",  # noqa: S608 - a constant
        (namespace, folder, since, now),
    )
    marked = db.changes()
    if not marked:
        return 0
    db.execute(
        """DELETE FROM document_files AS f WHERE namespace = ?1 AND missing_at = ?2 AND EXISTS (
             SELECT 1 FROM document_files AS o
             WHERE o.namespace = ?1 AND o.digest = f.digest AND o.missing_at IS NULL)""",
        (namespace, now),
    )
    log_change(db, now, "document", namespace, [])
    return marked
