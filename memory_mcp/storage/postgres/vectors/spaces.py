"""Embedding spaces: one is active; another may be filled and then become active."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, cast

from memory_mcp.domain.models import Chunk, MissingVectors, Space
from memory_mcp.storage.postgres.db.changes import log_change
from memory_mcp.storage.postgres.db.entries import IndexEntry, lock
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.tallies import vectors_in
from memory_mcp.storage.postgres.vectors import chunks
from memory_mcp.storage.postgres.vectors.active import active_space, lock_spaces, make_space, number_of
from memory_mcp.storage.vectors import in_use

_UNFILLED: Final = """
  FROM memories AS m WHERE m.deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM passages AS p WHERE p.key = m.key AND p.space = %s)
"""


def other_spaces(db: PgSession) -> list[Space]:
    """Return the spaces that are not the store's."""
    rows = db.rows("SELECT id, dimensions FROM spaces WHERE NOT active ORDER BY number")
    return [Space(id_, dimensions) for id_, dimensions in cast("list[tuple[str, int]]", rows)]


def missing_vectors(db: PgSession, space: Space, after: int, limit: int) -> list[MissingVectors]:
    """Return the first live memories after this key that have no chunk in the space."""
    rows = db.rows(
        f"SELECT m.key, m.content {_UNFILLED} AND m.key > %s ORDER BY m.key LIMIT %s",
        (number_of(db, space), after, limit),
    )
    return [MissingVectors(key, content) for key, content in cast("list[tuple[int, str]]", rows)]


def count_missing_vectors(db: PgSession, space: Space) -> int:
    """Count the live memories that have no chunk in the space."""
    return cast("int", db.value(f"SELECT count(*) {_UNFILLED}", (number_of(db, space),)))


def backfill(db: PgSession, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
    """Write the chunks of memories that have not changed and still lack them.

    In the active space searches see this, so the change log records it.
    """
    number = make_space(db, space)
    active = active_space(db)
    is_active = active is not None and active[0] == number
    filled: dict[str, list[str]] = defaultdict(list)
    for memory, parts in sorted(
        items, key=lambda item: item[0].key
    ):  # in one order, so that two fronts never wait for each other
        lock(db, [memory.key])
        row = db.row(
            f"SELECT m.namespace, m.type = 'document', m.id {_UNFILLED} AND m.key = %s AND m.content = %s",
            (number, memory.key, memory.content),
        )
        if row is None:
            continue
        namespace, documents, memory_id = cast("tuple[str, bool, str]", row)
        if is_active:
            chunks.drop_waiting(db, memory.key)  # about to be embedded
        entry = IndexEntry(memory.key, namespace, documents, memory.content)
        chunks.insert(db, [(entry, part, number) for part in parts])
        filled[namespace].append(memory_id)
    for namespace, ids in filled.items() if is_active else ():
        log_change(db, "embed", namespace, ids)


def activate_space(db: PgSession, space: Space) -> bool:
    """Activate the space if every live memory is in it; return whether it is active."""
    active = active_space(db)
    if active is not None and active[1] == space:
        return True
    lock_spaces(db)
    if count_missing_vectors(db, space):
        return False
    number = make_space(db, space)
    _forget_waiting(db)
    db.execute("UPDATE spaces SET active = false WHERE active")
    db.execute("UPDATE spaces SET active = true WHERE number = %s", (number,))
    rows = db.rows("SELECT DISTINCT namespace FROM tallies ORDER BY namespace")
    for (namespace,) in cast("list[tuple[str]]", rows):
        log_change(db, "space", namespace, [])
    return True


def _forget_waiting(db: PgSession) -> None:
    """Remove memories with pending chunks from the space, so that switching back to it embeds them again."""
    active = active_space(db)
    rows = db.rows(
        """SELECT id FROM passages WHERE (space IS NULL OR space = %s)
           AND key IN (SELECT key FROM passages WHERE space IS NULL AND state <> 'embedded')""",
        (active[0] if active else None,),
    )
    chunks.drop(db, [passage for (passage,) in cast("list[tuple[int]]", rows)])


def drop(db: PgSession, space: Space) -> None:
    """Remove an inactive space with its vectors; does nothing if it does not exist.

    Raises:
        ConflictError: it is active.
    """
    lock_spaces(db)
    active = active_space(db)
    if active is not None and active[1] == space:
        raise in_use(space)
    number = number_of(db, space)
    if number is not None:
        db.execute("DELETE FROM passages WHERE space = %s", (number,))
        db.execute("DELETE FROM tallies WHERE name = %s", (vectors_in(number),))
        db.execute("SELECT drop_vectors(%s::integer)", (number,))
        db.execute("DELETE FROM spaces WHERE number = %s", (number,))
