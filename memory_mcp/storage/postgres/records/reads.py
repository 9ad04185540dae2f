"""Reads without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from memory_mcp.domain.models import Filters, Memory, Neighbours, Outline, Page, Revision
from memory_mcp.domain.names import folded
from memory_mcp.domain.trash import Trashed, TrashPage
from memory_mcp.storage import outcomes
from memory_mcp.storage.cursors import LAST, cursor_of, place_of
from memory_mcp.storage.postgres.db.conditions import condition
from memory_mcp.storage.postgres.db.entries import lock
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import from_micros, to_memory, to_revision
from memory_mcp.storage.where import WhereClause

ACTIVE_SPACE: Final = "(SELECT number FROM spaces WHERE active)"
"""SQL for the number of the active space."""
MEMORY_COLUMNS: Final = f"""
  m.key, m.id, m.namespace, m.content, m.type, m.metadata, m.conversation_id, m.created_at, m.updated_at, m.revision,
  (SELECT coalesce(json_agg(t.tag ORDER BY t.tag), '[]')::text FROM tags AS t WHERE t.key = m.key),
  NOT EXISTS (SELECT FROM passages AS p WHERE p.key = m.key AND p.state <> 'embedded'
              AND (p.space IS NULL OR p.space = {ACTIVE_SPACE}))
"""  # noqa: S608 - a constant


def get(db: PgSession, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
    """Return the live memory of this id, from the namespace or, if `any_namespace`, from another one.

    Raises:
        NotFoundError: there is none.
    """
    memory = _named(db, "m.deleted_at IS NULL", memory_id, namespace, any_namespace=any_namespace)
    if memory is None:
        raise outcomes.not_stored(memory_id)
    return memory


def deleted(db: PgSession, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory:
    """Return the deleted memory of this id, from the namespace or, if `any_namespace`, from another one.

    Raises:
        NotFoundError: there is none.
    """
    memory = _named(db, "m.deleted_at IS NOT NULL", memory_id, namespace, any_namespace=any_namespace)
    if memory is None:
        raise outcomes.not_deleted(memory_id)
    return memory


def _named(db: PgSession, kind: str, memory_id: str, namespace: str, *, any_namespace: bool) -> Memory | None:
    if any_namespace:
        db.reach_all()
    else:
        db.reach(namespace)
    where, parameters = ("", ()) if any_namespace else ("AND m.namespace = %s", (namespace,))
    row = db.row(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.id = %s AND {kind} {where}
            ORDER BY m.namespace <> %s, m.key LIMIT 1""",  # noqa: S608 - constants
        (memory_id, *parameters, namespace),
    )
    return None if row is None else to_memory(row)


def load(db: PgSession, key: int) -> Memory:
    """Return the live memory of this key; nobody else changes it until the transaction ends.

    Raises:
        NotFoundError: there is none.
    """
    lock(db, [key])
    row = db.row(
        f"SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.key = %s AND m.deleted_at IS NULL",  # noqa: S608 - a constant
        (key,),
    )
    if row is None:
        raise outcomes.was_deleted()
    return to_memory(row)


def select_to_delete(
    db: PgSession, memory_ids: Sequence[str] | None, filters: Filters, *, any_namespace: bool
) -> list[Memory]:
    """Return the memories to delete: by id as in `get`, or by filters."""
    if memory_ids is not None:
        found = [
            get(db, memory_id, filters.namespace, any_namespace=any_namespace)
            for memory_id in dict.fromkeys(memory_ids)
        ]
        fitting = _fitting(db, found, filters)
        return [memory for memory in found if memory.key in fitting]
    db.reach(filters.namespace)
    where = condition(filters)
    rows = db.rows(
        f"SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE {where.sql} ORDER BY m.key",  # noqa: S608 - only parameters
        where.parameters,
    )
    return [to_memory(row) for row in rows]


def _fitting(db: PgSession, found: Sequence[Memory], filters: Filters) -> set[int]:
    """Return the keys that pass the filters, each memory in its own namespace."""
    keys, fitting = [memory.key for memory in found], set[int]()
    for namespace in {memory.namespace for memory in found}:
        where = condition(replace(filters, namespace=namespace))
        where.add("m.key = ANY(%s)", keys)
        rows = db.rows(f"SELECT m.key FROM memories AS m WHERE {where.sql}", where.parameters)  # noqa: S608 - only parameters
        fitting.update(cast("int", key) for (key,) in rows)
    return fitting


def fetch(db: PgSession, keys: Sequence[int]) -> dict[int, Memory]:
    """Return the live memories of these keys."""
    rows = db.rows(
        f"SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE m.key = ANY(%s) AND m.deleted_at IS NULL",  # noqa: S608 - a constant
        (list(keys),),
    )
    return {memory.key: memory for memory in map(to_memory, rows)}


def outlines(db: PgSession, keys: Sequence[int], most_bytes: int) -> dict[int, Outline]:
    """Return the outlines of live memories."""
    rows = db.rows(
        """SELECT key, created_at, octet_length(content),
                  CASE WHEN octet_length(content) <= %s THEN content END
           FROM memories WHERE key = ANY(%s) AND deleted_at IS NULL""",
        (most_bytes, list(keys)),
    )
    return {
        key: Outline(from_micros(created_at), size, content)
        for key, created_at, size, content in cast("list[tuple[int, int, int, str | None]]", rows)
    }


def revisions(db: PgSession, keys: Sequence[int]) -> dict[int, tuple[Revision, ...]]:
    """Return memories' earlier revisions, oldest first, by key."""
    rows = db.rows(
        """SELECT key, revision, content, tags, type, metadata, updated_at FROM revisions
           WHERE key = ANY(%s) ORDER BY key, revision""",
        (list(keys),),
    )
    held: dict[int, tuple[Revision, ...]] = {}
    for key, *row in rows:
        held[cast("int", key)] = (*held.get(cast("int", key), ()), to_revision(row))
    return held


def revisions_of(db: PgSession, memory: Memory) -> list[Revision]:
    """Return a memory's earlier revisions, oldest first."""
    db.reach(memory.namespace)
    return list(revisions(db, [memory.key]).get(memory.key, ()))


def page(db: PgSession, filters: Filters, limit: int, cursor: str | None) -> Page:
    """Return memories newest first; the cursor marks the last one, so that writes do not shift the next page."""
    db.reach(filters.namespace)
    where = condition(filters)
    total = cast("int", db.value(f"SELECT count(*) FROM memories AS m WHERE {where.sql}", where.parameters))  # noqa: S608 - only parameters
    if cursor is not None:
        where.add("(m.created_at, m.key) < (%s, %s)", *_place(db, filters.namespace, cursor))
    rows = db.rows(
        f"""SELECT {MEMORY_COLUMNS} FROM memories AS m WHERE {where.sql}
            ORDER BY m.created_at DESC, m.key DESC LIMIT %s""",  # noqa: S608 - only parameters
        (*where.parameters, limit + 1),
    )
    memories = [to_memory(row) for row in rows]
    more = len(memories) > limit
    return Page(
        tuple(memories[:limit]),
        cursor_of(memories[limit - 1].created_at, memories[limit - 1].id) if more else None,
        total,
    )


def trash(db: PgSession, namespace: str, limit: int, cursor: str | None) -> TrashPage:
    """Return deleted memories, the latest deleted first."""
    db.reach(namespace)
    where: WhereClause[object] = WhereClause()
    where.add("m.namespace = %s AND m.deleted_at IS NOT NULL", namespace)
    total = cast("int", db.value(f"SELECT count(*) FROM memories AS m WHERE {where.sql}", where.parameters))  # noqa: S608 - only parameters
    if cursor is not None:
        where.add("(m.deleted_at, m.key) < (%s, %s)", *_place(db, namespace, cursor))
    rows = db.rows(
        f"""SELECT m.deleted_at, {MEMORY_COLUMNS} FROM memories AS m WHERE {where.sql}
            ORDER BY m.deleted_at DESC, m.key DESC LIMIT %s""",  # noqa: S608 - only parameters
        (*where.parameters, limit + 1),
    )
    found = [Trashed(to_memory(row[1:]), from_micros(cast("int", row[0]))) for row in rows]
    more = len(found) > limit
    last = cursor_of(found[limit - 1].deleted_at, found[limit - 1].memory.id) if more else None
    return TrashPage(tuple(found[:limit]), last, total)


def _place(db: PgSession, namespace: str, cursor: str) -> tuple[int, int]:
    """Return (created_at, key) of a cursor; for a purged memory, the position before all of the same moment."""
    created, memory_id = place_of(cursor)
    key = db.value("SELECT key FROM memories WHERE namespace = %s AND id = %s", (namespace, memory_id))
    return created, LAST if key is None else cast("int", key)


def tags_among(db: PgSession, words: Sequence[str], namespace: str) -> frozenset[str]:
    """Return those words that are tags of live memories of the namespace, ignoring case."""
    db.reach(namespace)
    asked = {word: folded(word) for word in words}
    rows = db.rows(
        """SELECT w.word FROM unnest(%s::text[]) AS w (word) WHERE EXISTS (
             SELECT FROM tags AS t JOIN memories AS m USING (key)
             WHERE t.namespace = %s AND t.folded = w.word AND m.deleted_at IS NULL)""",
        (sorted(set(asked.values())), namespace),
    )
    known = {tag for (tag,) in rows}
    return frozenset(word for word, tag in asked.items() if tag in known)


def neighbours(db: PgSession, keys: Sequence[int]) -> dict[int, Neighbours | None]:
    """Return up to two live neighbours on each side of each memory in its conversation; None outside of any."""
    rows = db.rows(
        """SELECT m.key, m.conversation_id IS NOT NULL,
             ARRAY(SELECT n.key FROM memories AS n WHERE n.namespace = m.namespace
                     AND n.conversation_id = m.conversation_id AND n.deleted_at IS NULL
                     AND (n.created_at, n.key) < (m.created_at, m.key)
                   ORDER BY n.created_at DESC, n.key DESC LIMIT 2),
             ARRAY(SELECT n.key FROM memories AS n WHERE n.namespace = m.namespace
                     AND n.conversation_id = m.conversation_id AND n.deleted_at IS NULL
                     AND (n.created_at, n.key) > (m.created_at, m.key)
                   ORDER BY n.created_at, n.key LIMIT 2)
           FROM memories AS m
           WHERE m.key = ANY(%s) AND m.deleted_at IS NULL""",
        (list(keys),),
    )
    return {
        key: Neighbours(tuple(before), tuple(after)) if talks else None
        for key, talks, before, after in cast("list[tuple[int, bool, list[int], list[int]]]", rows)
    }
