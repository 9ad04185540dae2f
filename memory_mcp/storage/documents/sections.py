"""The sections of documents: memories with a place."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, cast

from memory_mcp.domain.documents import (
    DocumentTitle,
    KnownSection,
    PlacedSection,
    SectionDraft,
    SectionOutline,
    SectionPlace,
    section_times,
)
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import DOCUMENT, NewMemory
from memory_mcp.storage.cursors import LAST
from memory_mcp.storage.documents.session import DocumentSession, SqlSession, first
from memory_mcp.storage.rows import from_micros, to_json, to_micros

FIRST_FILE: Final = """
  (SELECT f.{column} FROM document_files AS f WHERE f.namespace = d.namespace AND f.digest = d.digest
   ORDER BY f.missing_at IS NOT NULL, f.uri LIMIT 1)
"""
"""A column of the file that a document is shown with: one that is not missing, if there is any."""


def uri_of(uri: str | None, part: str) -> str:
    """Return the URI of a document in a file; "" if it has no file."""
    return f"{uri}#{part}" if uri and part else uri or ""


def titles(db: SqlSession, namespace: str, before: int | None, limit: int) -> list[DocumentTitle]:
    """Return the last documents before a key, newest first."""
    rows = db.rows(
        f"""SELECT d.key, d.id, d.title, d.part, {FIRST_FILE.format(column="uri")} FROM documents AS d
            WHERE d.namespace = ?1 AND d.key < ?2 ORDER BY d.key DESC LIMIT ?3""",  # noqa: S608 - a constant
        namespace,
        LAST if before is None else before,
        limit,
    )
    return [
        DocumentTitle(key, document_id, title, uri_of(uri, part))
        for key, document_id, title, part, uri in cast("list[tuple[int, str, str | None, str, str | None]]", rows)
    ]


def places(db: SqlSession, keys: Sequence[int]) -> dict[int, SectionPlace]:
    """Return where memories lie in documents; those that are no sections are absent."""
    rows = db.rows(
        f"""SELECT s.key, d.id, d.title, d.part, {FIRST_FILE.format(column="uri")}, s.heading, s.page
            FROM sections AS s JOIN documents AS d ON d.key = s.document
            WHERE s.key IN ({db.keys(1)})""",  # noqa: S608 - constants
        to_json(list(keys)),
    )
    return {
        key: SectionPlace(document_id, title, uri_of(uri, part), tuple(json.loads(heading)), page)
        for key, document_id, title, part, uri, heading, page in cast(
            "list[tuple[int, str, str | None, str, str | None, str, int | None]]", rows
        )
    }


def known(db: DocumentSession, document: int) -> tuple[KnownSection, ...]:
    """Return the live sections of a document, in order."""
    rows = db.rows(
        """SELECT m.id, s.digest FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ?1 AND m.deleted_at IS NULL ORDER BY s.place""",
        document,
    )
    return tuple(KnownSection(memory_id, held) for memory_id, held in cast("list[tuple[str, bytes]]", rows))


def has_any(db: DocumentSession, document: int) -> bool:
    """Whether a document has sections, deleted or not."""
    return bool(db.rows("SELECT 1 FROM sections WHERE document = ?1 LIMIT 1", document))


def outline(db: DocumentSession, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
    """Return live sections of a document, in order."""
    rows = db.rows(
        """SELECT m.id, s.heading, s.page FROM documents AS d JOIN sections AS s ON s.document = d.key
           JOIN memories AS m ON m.key = s.key
           WHERE d.id = ?1 AND m.deleted_at IS NULL ORDER BY s.place LIMIT ?2 OFFSET ?3""",
        document_id,
        limit,
        offset,
    )
    return [
        SectionOutline(memory_id, tuple(json.loads(heading)), page)
        for memory_id, heading, page in cast("list[tuple[str, str, int | None]]", rows)
    ]


def remove(db: DocumentSession, document: int) -> None:
    """Delete the sections of a document, which forget their place."""
    _delete_others(db, document, set())


def remove_first(db: DocumentSession, document: int, limit: int) -> None:
    """Delete the first live sections of a document."""
    _delete(db, list(islice(_live(db, document).values(), limit)))


def remove_named(db: DocumentSession, document: int, memory_ids: Sequence[str]) -> None:
    """Delete live sections of a document by their ids."""
    live = _live(db, document)
    _delete(db, [live[memory_id] for memory_id in memory_ids if memory_id in live])


def _delete(db: DocumentSession, keys: Sequence[int]) -> None:
    rows = db.rows(
        f"SELECT m.key, m.id, m.namespace FROM memories AS m WHERE m.key IN ({db.keys(1)}) {db.locking('m')}",  # noqa: S608 - a constant
        to_json(list(keys)),
    )
    db.delete(cast("list[tuple[int, str, str]]", rows))
    _forget(db, keys)


def _forget(db: DocumentSession, keys: Iterable[int]) -> None:
    db.run(f"DELETE FROM sections WHERE key IN ({db.keys(1)})", to_json(list(keys)))  # noqa: S608 - a constant


def count(db: DocumentSession, document: int) -> int:
    """Return the number of live sections of a document."""
    counted = db.rows(
        """SELECT count(*) FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ?1 AND m.deleted_at IS NULL""",
        document,
    )
    return cast("int", first(counted))


def append(
    db: DocumentSession,
    document: tuple[int, str, str],
    placed: Sequence[PlacedSection],
    dated_at: int,
    tags: Sequence[str],
) -> None:
    """Add new sections behind all others of a document: its key, id and namespace."""
    key, document_id, namespace = document
    held = db.rows(
        """SELECT s.place, m.created_at FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ?1 ORDER BY s.place DESC LIMIT 1""",
        key,
    )
    last, latest = cast("tuple[int, int | None]", held[0] if held else (-1, None))
    times = section_times(from_micros(dated_at if latest is None else latest + 1), _later(placed, latest))
    for place, (section, time) in enumerate(zip(placed, map(to_micros, times), strict=True), last + 1):
        memory = _create(db, section, document_id, namespace, tags, time)
        _place(db, memory, key, place, section.draft)


def _later(placed: Sequence[PlacedSection], latest: int | None) -> Iterator[SectionDraft]:
    """Yield the drafts, without the times before a moment."""
    for section in placed:
        told = section.draft.created_at
        is_early = told is not None and latest is not None and to_micros(told) <= latest
        yield replace(section.draft, created_at=None) if is_early else section.draft


def add_tags(db: DocumentSession, document: int, namespace: str, tags: Sequence[str]) -> None:
    """Add tags to the live sections of a document."""
    live = _live(db, document)
    for key in live.values():
        db.add_tags(namespace, key, tags)
    if live:
        db.log_change("tag", namespace, live, tags)


def replace_all(
    db: DocumentSession,
    document: tuple[int, str, str],
    placed: Sequence[PlacedSection],
    dated_at: int,
    tags: Sequence[str],
) -> None:
    """Make these the sections of a document: its key, id and namespace.

    Raises:
        ConflictError: a section that is to be kept is not live.
    """
    key, document_id, namespace = document
    live = _live(db, key)
    kept = set[int]()
    times = array("q", map(to_micros, section_times(from_micros(dated_at), _drafts(placed, live, kept))))
    _delete_others(db, key, kept)
    moved = []
    for place, (section, time) in enumerate(zip(placed, times, strict=True)):
        if section.kept is None:
            memory = _create(db, section, document_id, namespace, tags, time)
        else:
            memory = live[section.kept]
            if _move(db, memory, time):
                moved.append(section.kept)
        _place(db, memory, key, place, section.draft)
    if moved:
        db.log_change("update", namespace, moved)


def _place(db: DocumentSession, memory: int, document: int, place: int, draft: SectionDraft) -> None:
    """Give a memory its place in a document."""
    db.run(
        """INSERT INTO sections (key, document, place, heading, page, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (key) DO UPDATE SET place = excluded.place, page = excluded.page
           WHERE sections.place <> excluded.place OR sections.page IS DISTINCT FROM excluded.page""",
        memory,
        document,
        place,
        to_json(list(draft.heading)),
        draft.page,
        draft.digest,
    )


def _drafts(placed: Sequence[PlacedSection], live: Mapping[str, int], kept: set[int]) -> Iterator[SectionDraft]:
    """Yield the drafts, and note the keys of the kept on the way: what is looked at may lie on the disk.

    Raises:
        ConflictError: a section that is to be kept is not live.
    """
    for section in placed:
        if section.kept is not None:
            if section.kept not in live:
                raise ConflictError(f"section: {section.kept!r} was changed meanwhile")
            kept.add(live[section.kept])
        yield section.draft


def _live(db: DocumentSession, document: int) -> dict[str, int]:
    """Return the keys of the live sections by their ids."""
    rows = db.rows(
        f"""SELECT m.id, m.key FROM sections AS s JOIN memories AS m USING (key)
            WHERE s.document = ?1 AND m.deleted_at IS NULL ORDER BY s.place {db.locking("m")}""",  # noqa: S608 - a constant
        document,
    )
    return dict(cast("list[tuple[str, int]]", rows))


def _delete_others(db: DocumentSession, document: int, kept: set[int]) -> None:
    rows = db.rows(
        f"""SELECT m.key, m.id, m.namespace, m.deleted_at IS NULL FROM sections AS s JOIN memories AS m USING (key)
            WHERE s.document = ?1 {db.locking("m")}""",  # noqa: S608 - a constant
        document,
    )
    others = [row for row in cast("list[tuple[int, str, str, int]]", rows) if row[0] not in kept]
    db.delete([(key, memory_id, namespace) for key, memory_id, namespace, is_live in others if is_live])
    _forget(db, [key for key, *_ in others])


def _create(
    db: DocumentSession,
    section: PlacedSection,
    document_id: str,
    namespace: str,
    tags: Sequence[str],
    time: int,
) -> int:
    if section.embedded is None:
        raise ValueError("a new section has no chunks")
    new = NewMemory(section.draft.content, namespace, tuple(tags), DOCUMENT, {}, document_id, from_micros(time))
    return db.create(new, section.embedded)


def _move(db: DocumentSession, memory: int, time: int) -> bool:
    """Give a memory another time; return whether it had another one."""
    return db.run("UPDATE memories SET created_at = ?2 WHERE key = ?1 AND created_at <> ?2", memory, time) > 0


def mark_emptied(keys: str) -> str:
    """Return the SQL that lets documents that lose their last section be read again when their files are ingested.

    Its parameters are the keys of the memories that are purged, PARTIAL, EMPTIED and the time.

    Args:
        keys: the query for the integers in the first parameter.
    """
    return f"""
      UPDATE documents SET refusal = ?2, error = ?3, revision = revision + 1, updated_at = ?4
      WHERE refusal IS NULL AND key IN (SELECT document FROM sections WHERE key IN ({keys}))
        AND NOT EXISTS (SELECT 1 FROM sections AS s WHERE s.document = documents.key AND s.key NOT IN ({keys}))
    """  # noqa: S608 - a query of the store's own
