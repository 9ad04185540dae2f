"""Reads without a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Filters, Memory, Outline, Page, PendingChunk, QueueCounts, Revision
from memory_mcp.domain.names import folded
from memory_mcp.domain.trash import Trashed, TrashPage
from memory_mcp.storage import outcomes
from memory_mcp.storage.cursors import LAST, cursor_of, place_of
from memory_mcp.storage.rows import from_micros, to_json, to_memory, to_revision
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.where import WhereClause

MEMORY_COLUMNS: Final = """
  m.key, m.id, m.namespace, m.content, m.type, m.metadata, m.conversation_id, m.created_at, m.updated_at, m.revision,
  (SELECT json_group_array(tag ORDER BY tag) FROM tags WHERE tags.key = m.key),
  NOT EXISTS (SELECT 1 FROM passages AS p WHERE p.key = m.key AND p.state <> 'embedded'
              AND (p.space IS NULL OR p.space = (SELECT number FROM spaces WHERE active = 1)))
"""


def get(db: apsw.Connection, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
    """Return the live memory of this id, from the namespace or, if `any_namespace`, from another one.

    Raises:
        NotFoundError: there is none.
    """
    memory = _named(db, "m.deleted_at IS NULL", memory_id, namespace, any_namespace=any_namespace)
    if memory is None:
        raise outcomes.not_stored(memory_id)
    return memory


def deleted(db: apsw.Connection, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
    """Return the deleted memory of this id, from the namespace or, if `any_namespace`, from another one.

    Raises:
        NotFoundError: there is none.
    """
    memory = _named(db, "m.deleted_at IS NOT NULL", memory_id, namespace, any_namespace=any_namespace)
    if memory is None:
        raise outcomes.not_deleted(memory_id)
    return memory


def _named(
    db: apsw.Connection, condition: str, memory_id: str, namespace: str, *, any_namespace: bool
) -> Memory | None:
    row = db.execute(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.id = ?1 AND {condition}
            AND (?3 OR m.namespace = ?2) ORDER BY m.namespace <> ?2, m.key LIMIT 1""",  # noqa: S608 - constants
        (memory_id, namespace, any_namespace),
    ).fetchone()
    return None if row is None else to_memory(row)


def load(db: apsw.Connection, key: int) -> Memory:
    """Return the live memory of this key.

    Raises:
        NotFoundError: there is none.
    """
    row = db.execute(f"SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE key = ? AND deleted_at IS NULL", (key,)).get  # noqa: S608 - a constant
    if row is None:
        raise outcomes.was_deleted()
    return to_memory(cast("apsw.SQLiteValues", row))


def select_to_delete(
    db: apsw.Connection, memory_ids: Sequence[str] | None, filters: Filters, *, any_namespace: bool
) -> list[tuple[int, str, str]]:
    """Return (key, id, namespace) of the memories to delete: by id as in `get`, or by filters."""
    if memory_ids is not None:
        found = [
            get(db, memory_id, filters.namespace, any_namespace=any_namespace)
            for memory_id in dict.fromkeys(memory_ids)
        ]
        fitting = _fitting(db, found, filters)
        return [(memory.key, memory.id, memory.namespace) for memory in found if memory.key in fitting]
    where = condition(filters)
    rows = db.execute(
        f"SELECT m.key, m.id, m.namespace FROM memories AS m WHERE {where.sql} ORDER BY m.key",  # noqa: S608 - only parameters
        where.parameters,
    )
    return cast("list[tuple[int, str, str]]", rows.fetchall())


def _fitting(db: apsw.Connection, found: Sequence[Memory], filters: Filters) -> set[int]:
    """Return the keys that pass the filters, each memory in its own namespace."""
    keys, fitting = to_json([memory.key for memory in found]), set[int]()
    for namespace in {memory.namespace for memory in found}:
        where = condition(replace(filters, namespace=namespace))
        where.add("m.key IN (SELECT value FROM json_each(?))", keys)
        rows = db.execute(f"SELECT m.key FROM memories AS m WHERE {where.sql}", where.parameters)  # noqa: S608 - only parameters
        fitting.update(cast("int", row[0]) for row in rows)
    return fitting


def fetch(db: apsw.Connection, keys: Sequence[int]) -> dict[int, Memory]:
    """Return the live memories of these keys."""
    rows = db.execute(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m
            WHERE m.key IN (SELECT value FROM json_each(?)) AND m.deleted_at IS NULL""",  # noqa: S608 - a constant
        (to_json(list(keys)),),
    )
    return {memory.key: memory for memory in map(to_memory, rows)}


def outlines(db: apsw.Connection, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
    """Return the outlines of live memories; SQLite knows a content's bytes without reading it."""
    rows = db.execute(
        """SELECT key, created_at, octet_length(content), iif(octet_length(content) <= ?, content, NULL) FROM memories
           WHERE key IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL""",
        (most_bytes, to_json(list(keys))),
    )
    return {
        key: Outline(from_micros(created_at), size, content)
        for key, created_at, size, content in cast("Iterator[tuple[int, int, int, str | None]]", rows)
    }


def revisions(db: apsw.Connection, key: int, before: int | None = None, limit: int | None = None) -> list[Revision]:
    """Return a memory's earlier revisions before one, the last of them if there is a limit, oldest first."""
    rows = db.execute(
        """SELECT revision, content, tags, type, metadata, updated_at FROM revisions WHERE key = ? AND revision < ?
           ORDER BY revision DESC LIMIT ?""",
        (key, LAST if before is None else before, -1 if limit is None else limit),
    )
    return [to_revision(row) for row in rows][::-1]


def page(db: apsw.Connection, filters: Filters, limit: int, cursor: str | None) -> Page:
    """Return memories newest first; the cursor marks the last one, so that writes do not shift the next page."""
    where = condition(filters)
    total = cast("int", db.execute(f"SELECT count(*) FROM memories AS m WHERE {where.sql}", where.parameters).get)  # noqa: S608 - only parameters
    if cursor is not None:
        where.add("(m.created_at, m.key) < (?, ?)", *_place(db, filters.namespace, cursor))
    rows = db.execute(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE {where.sql}
            ORDER BY m.created_at DESC, m.key DESC LIMIT ?""",  # noqa: S608 - only parameters
        (*where.parameters, limit + 1),
    )
    memories = [to_memory(row) for row in rows]
    more = len(memories) > limit
    cursor = cursor_of(memories[limit - 1].created_at, memories[limit - 1].id) if more else None
    return Page(tuple(memories[:limit]), cursor, total)


def trash(db: apsw.Connection, namespace: str, limit: int, cursor: str | None) -> TrashPage:
    """Return deleted memories, the latest deleted first."""
    where: WhereClause[apsw.SQLiteValue] = WhereClause()
    where.add("m.namespace = ? AND m.deleted_at IS NOT NULL", namespace)
    total = cast("int", db.execute(f"SELECT count(*) FROM memories AS m WHERE {where.sql}", where.parameters).get)  # noqa: S608 - only parameters
    if cursor is not None:
        where.add("(m.deleted_at, m.key) < (?, ?)", *_place(db, namespace, cursor))
    rows = db.execute(
        f"""SELECT m.deleted_at, {MEMORY_COLUMNS} FROM memories AS m WHERE {where.sql}
            ORDER BY m.deleted_at DESC, m.key DESC LIMIT ?""",  # noqa: S608 - only parameters
        (*where.parameters, limit + 1),
    )
    found = [Trashed(to_memory(row[1:]), from_micros(cast("int", row[0]))) for row in rows]
    more = len(found) > limit
    last = cursor_of(found[limit - 1].deleted_at, found[limit - 1].memory.id) if more else None
    return TrashPage(tuple(found[:limit]), last, total)


def _place(db: apsw.Connection, namespace: str, cursor: str) -> tuple[int, int]:
    """Return (moment, key) of a cursor; for a purged memory, the position before all of the same moment."""
    moment, memory_id = place_of(cursor)
    key = db.execute("SELECT key FROM memories WHERE namespace = ? AND id = ?", (namespace, memory_id)).get
    return moment, LAST if key is None else cast("int", key)


_UNDONE: Final = """
  FROM passages AS p JOIN memories AS m USING (key)
  WHERE p.state <> 'embedded' AND (?1 IS NULL OR m.namespace = ?1)
    AND (p.space IS NULL OR p.space = (SELECT number FROM spaces WHERE active = 1))
"""
"""The chunks of the active space that have no vector, of one namespace or all."""


def queue(db: apsw.Connection, namespace: str | None) -> QueueCounts:
    """Count the memories with pending chunks, and those with failed ones."""
    rows = db.execute(f"SELECT p.state, count(DISTINCT p.key) {_UNDONE} GROUP BY p.state", (namespace,))
    counts = dict(cast("list[tuple[str, int]]", rows.fetchall()))
    pending, failed = counts.get("pending", 0), counts.get("failed", 0)
    if not failed:
        return QueueCounts(pending, 0)
    latest = db.execute(
        f"SELECT p.error, m.id {_UNDONE} AND p.state = 'failed' ORDER BY p.id DESC LIMIT 1", (namespace,)
    ).fetchone()
    error, memory_id = cast("tuple[str, str]", latest)
    return QueueCounts(pending, failed, error, memory_id)


def pending(db: apsw.Connection, limit: int) -> list[PendingChunk]:
    """Return the oldest queued chunks with their contents."""
    rows = db.execute(  # in the terms of the partial index, or SQLite would scan all chunks
        """SELECT id, first, last, key FROM passages WHERE state <> 'embedded' AND state = 'pending'
           ORDER BY id LIMIT ?""",
        (limit,),
    )
    waiting = cast("list[tuple[int, int, int, int]]", rows.fetchall())
    contents = {key: load(db, key).content for key in {key for *_, key in waiting}}
    return [PendingChunk(number, first, last, contents[key]) for number, first, last, key in waiting]


def tags_among(db: apsw.Connection, words: Sequence[str], namespace: str) -> frozenset[str]:
    """Return those words that are tags of live memories of the namespace, ignoring case."""
    asked = {word: folded(word) for word in words}
    rows = db.execute(
        """SELECT w.value FROM json_each(?) AS w WHERE EXISTS (
             SELECT 1 FROM tags AS t CROSS JOIN memories AS m USING (key)
             WHERE t.folded = w.value AND m.namespace = ? AND m.deleted_at IS NULL)""",
        (to_json(sorted(set(asked.values()))), namespace),
    )
    known = {tag for (tag,) in cast("Iterator[tuple[str]]", rows)}
    return frozenset(word for word, tag in asked.items() if tag in known)
