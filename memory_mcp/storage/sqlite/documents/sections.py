"""The sections of documents: memories with a place."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, cast

import apsw

from memory_mcp.domain.documents import (
    KnownSection,
    PlacedSection,
    SectionDraft,
    SectionOutline,
    SectionPlace,
    section_times,
)
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import DOCUMENT, NewMemory
from memory_mcp.storage.rows import digest, from_micros, to_json, to_micros
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.records.writes import create, insert_tags, mark_deleted

FIRST_FILE: Final = """
  (SELECT f.{column} FROM document_files AS f WHERE f.namespace = d.namespace AND f.digest = d.digest
   ORDER BY f.missing_at IS NOT NULL, f.uri LIMIT 1)
"""
"""A column of the file that a document is shown with: one that is not missing, if there is any."""


def uri_of(uri: str | None, part: str) -> str:
    """Return the URI of a document in a file; "" if it has no file."""
    return f"{uri}#{part}" if uri and part else uri or ""


def places(db: apsw.Connection, keys: Sequence[int]) -> dict[int, SectionPlace]:
    """Return where memories lie in documents; those that are no sections are absent."""
    rows = db.execute(
        f"""SELECT s.key, d.id, d.title, d.part, {FIRST_FILE.format(column="uri")}, s.heading, s.page
            FROM sections AS s JOIN documents AS d ON d.key = s.document
            WHERE s.key IN (SELECT value FROM json_each(?))""",  # noqa: S608 - constants
        (to_json(list(keys)),),
    )
    return {
        key: SectionPlace(document_id, title, uri_of(uri, part), tuple(json.loads(heading)), page)
        for key, document_id, title, part, uri, heading, page in cast(
            "Iterator[tuple[int, str, str | None, str, str | None, str, int | None]]", rows
        )
    }


def known(db: apsw.Connection, document: int) -> tuple[KnownSection, ...]:
    """Return the live sections of a document, in order."""
    rows = db.execute(
        """SELECT m.id, s.digest FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ? AND m.deleted_at IS NULL ORDER BY s.place""",
        (document,),
    )
    return tuple(KnownSection(memory_id, held) for memory_id, held in cast("Iterator[tuple[str, bytes]]", rows))


def has_any(db: apsw.Connection, document: int) -> bool:
    """Whether a document has sections, deleted or not."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM sections WHERE document = ?)", (document,)).get)


def outline(db: apsw.Connection, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
    """Return live sections of a document, in order."""
    rows = db.execute(
        """SELECT m.id, s.heading, s.page FROM documents AS d JOIN sections AS s ON s.document = d.key
           JOIN memories AS m ON m.key = s.key
           WHERE d.id = ? AND m.deleted_at IS NULL ORDER BY s.place LIMIT ? OFFSET ?""",
        (document_id, limit, offset),
    )
    return [
        SectionOutline(memory_id, tuple(json.loads(heading)), page)
        for memory_id, heading, page in cast("Iterator[tuple[str, str, int | None]]", rows)
    ]


def remove(db: apsw.Connection, document: int, now: int) -> None:
    """Delete the sections of a document, which forget their place."""
    _delete_others(db, document, set(), now)


def remove_first(db: apsw.Connection, document: int, limit: int, now: int) -> None:
    """Delete the first live sections of a document."""
    _delete(db, list(islice(_live(db, document).values(), limit)), now)


def remove_named(db: apsw.Connection, document: int, memory_ids: Sequence[str], now: int) -> None:
    """Delete live sections of a document by their ids."""
    live = _live(db, document)
    _delete(db, [live[memory_id] for memory_id in memory_ids if memory_id in live], now)


def _delete(db: apsw.Connection, keys: Sequence[int], now: int) -> None:
    rows = db.execute(
        "SELECT key, id, namespace FROM memories WHERE key IN (SELECT value FROM json_each(?))", (to_json(list(keys)),)
    ).fetchall()
    mark_deleted(db, cast("list[tuple[int, str, str]]", rows), now)
    db.executemany("DELETE FROM sections WHERE key = ?", [(key,) for key in keys])


def count(db: apsw.Connection, document: int) -> int:
    """Return the number of live sections of a document."""
    counted = db.execute(
        """SELECT count(*) FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ? AND m.deleted_at IS NULL""",
        (document,),
    ).get
    return cast("int", counted)


def append(
    db: apsw.Connection,
    document: tuple[int, str, str],
    placed: Sequence[PlacedSection],
    first: int,
    tags: Sequence[str],
    now: int,
) -> None:
    """Add new sections behind all others of a document: its key, id and namespace."""
    key, document_id, namespace = document
    last, latest = cast(
        "tuple[int, int | None]",
        db.execute(
            """SELECT s.place, m.created_at FROM sections AS s JOIN memories AS m USING (key)
               WHERE s.document = ? ORDER BY s.place DESC LIMIT 1""",
            (key,),
        ).fetchone()
        or (-1, None),
    )
    times = section_times(from_micros(first if latest is None else latest + 1), _later(placed, latest))
    for place, (section, time) in enumerate(zip(placed, map(to_micros, times), strict=True), last + 1):
        memory = _create(db, section, document_id, namespace, tags, time, now)
        _place(db, memory, key, place, section.draft)


def _later(placed: Sequence[PlacedSection], latest: int | None) -> Iterator[SectionDraft]:
    """Yield the drafts, without the times before a moment."""
    for section in placed:
        told = section.draft.created_at
        is_early = told is not None and latest is not None and to_micros(told) <= latest
        yield replace(section.draft, created_at=None) if is_early else section.draft


def add_tags(db: apsw.Connection, document: int, namespace: str, tags: Sequence[str], now: int) -> None:
    """Add tags to the live sections of a document."""
    live = _live(db, document)
    for key in live.values():
        insert_tags(db, key, tags)
    if live:
        log_change(db, now, "tag", namespace, live, tags)


def replace_all(
    db: apsw.Connection,
    document: tuple[int, str, str],
    placed: Sequence[PlacedSection],
    first: int,
    tags: Sequence[str],
    now: int,
) -> None:
    """Make these the sections of a document: its key, id and namespace.

    Raises:
        ConflictError: a section that is to be kept is not live.
    """
    key, document_id, namespace = document
    live = _live(db, key)
    kept = set[int]()
    times = array("q", map(to_micros, section_times(from_micros(first), _drafts(placed, live, kept))))
    _delete_others(db, key, kept, now)
    moved = []
    for place, (section, time) in enumerate(zip(placed, times, strict=True)):
        if section.kept is None:
            memory = _create(db, section, document_id, namespace, tags, time, now)
        else:
            memory = live[section.kept]
            if _move(db, memory, time):
                moved.append(section.kept)
        _place(db, memory, key, place, section.draft)
    if moved:
        log_change(db, now, "update", namespace, moved)


def _place(db: apsw.Connection, memory: int, document: int, place: int, draft: SectionDraft) -> None:
    """Give a memory its place in a document."""
    db.execute(
        """INSERT INTO sections (key, document, place, heading, page, digest) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET place = excluded.place, page = excluded.page
           WHERE place <> excluded.place OR page IS NOT excluded.page""",
        (memory, document, place, to_json(list(draft.heading)), draft.page, draft.digest),
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


def _live(db: apsw.Connection, document: int) -> dict[str, int]:
    """Return the keys of the live sections by their ids."""
    rows = db.execute(
        """SELECT m.id, m.key FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ? AND m.deleted_at IS NULL ORDER BY s.place""",
        (document,),
    )
    return dict(cast("Iterator[tuple[str, int]]", rows))


def _delete_others(db: apsw.Connection, document: int, kept: set[int], now: int) -> None:
    rows = db.execute(
        """SELECT m.key, m.id, m.namespace, m.deleted_at IS NULL FROM sections AS s JOIN memories AS m USING (key)
           WHERE s.document = ?""",
        (document,),
    )
    others = [row for row in cast("Iterator[tuple[int, str, str, int]]", rows) if row[0] not in kept]
    mark_deleted(db, [(key, memory_id, namespace) for key, memory_id, namespace, is_live in others if is_live], now)
    db.executemany("DELETE FROM sections WHERE key = ?", [(key,) for key, *_ in others])


def _create(
    db: apsw.Connection,
    section: PlacedSection,
    document_id: str,
    namespace: str,
    tags: Sequence[str],
    time: int,
    now: int,
) -> int:
    if section.embedded is None:
        raise ValueError("a new section has no chunks")
    content = section.draft.content
    new = NewMemory(content, namespace, tuple(tags), DOCUMENT, {}, document_id, from_micros(time))
    key, _ = create(db, new, section.embedded, digest(content), now)
    return key


def _move(db: apsw.Connection, memory: int, time: int) -> bool:
    """Give a memory another time; return whether it had another one."""
    db.execute("UPDATE memories SET created_at = ?2 WHERE key = ?1 AND created_at <> ?2", (memory, time))
    return db.changes() > 0
