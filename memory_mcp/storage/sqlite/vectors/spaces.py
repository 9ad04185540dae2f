"""Embedding spaces: one is active; another may be filled and then become active."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Chunk, MissingVectors, Space
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.partitions import NAMESPACES, partition_of
from memory_mcp.storage.sqlite.vectors import chunks
from memory_mcp.storage.sqlite.vectors.exact import active_space
from memory_mcp.storage.vectors import in_use

_UNFILLED: Final = """
  FROM memories AS m WHERE m.deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM passages AS p WHERE p.key = m.key AND p.space = ?)
"""


def other_spaces(db: apsw.Connection) -> list[Space]:
    """Return the spaces that are not the store's."""
    rows = db.execute("SELECT id, dimensions FROM spaces WHERE active = 0 ORDER BY number")
    return [Space(id_, dimensions) for id_, dimensions in cast("Iterator[tuple[str, int]]", rows)]


def missing_vectors(db: apsw.Connection, space: Space, after: int, limit: int) -> list[MissingVectors]:
    """Return the first live memories after this key that have no chunk in the space."""
    rows = db.execute(
        f"SELECT m.key, m.content {_UNFILLED} AND m.key > ? ORDER BY m.key LIMIT ?",
        (chunks.number_of(db, space), after, limit),
    )
    return [MissingVectors(key, content) for key, content in cast("Iterator[tuple[int, str]]", rows)]


def count_missing_vectors(db: apsw.Connection, space: Space) -> int:
    """Count the live memories that have no chunk in the space."""
    return cast("int", db.execute(f"SELECT count(*) {_UNFILLED}", (chunks.number_of(db, space),)).get)


def backfill(
    db: apsw.Connection, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]], now: int
) -> None:
    """Write the chunks of memories that have not changed and still lack them.

    In the active space searches see this, so the change log records it.
    """
    number = chunks.make_space(db, space)
    active = active_space(db)
    is_active = active is not None and active[0] == number
    filled: dict[str, list[str]] = {}
    for memory, parts in items:
        row = db.execute(
            f"SELECT m.namespace, m.type, m.id {_UNFILLED} AND m.key = ? AND m.content = ?",
            (number, memory.key, memory.content),
        ).fetchone()
        if row is None:
            continue
        namespace, memory_type, memory_id = cast("tuple[str, str, str]", row)
        if is_active:
            chunks.drop_waiting(db, memory.key)  # about to be embedded
        for part in parts:
            chunks.insert(db, memory.key, partition_of(namespace, memory_type), part, number)
        filled.setdefault(namespace, []).append(memory_id)
    for namespace, ids in filled.items() if is_active else ():
        log_change(db, now, "embed", namespace, ids)


def activate_space(db: apsw.Connection, space: Space, now: int) -> bool:
    """Activate the space if every live memory is in it; return whether it is active."""
    active = active_space(db)
    if active is not None and active[1] == space:
        return True
    if count_missing_vectors(db, space):
        return False
    number = chunks.make_space(db, space)
    _forget_waiting(db)
    db.execute("UPDATE spaces SET active = 0 WHERE active = 1")
    db.execute("UPDATE spaces SET active = 1 WHERE number = ?", (number,))
    for namespace in cast("list[tuple[str]]", db.execute(f"{NAMESPACES} ORDER BY namespace").fetchall()):
        log_change(db, now, "space", namespace[0], [])
    return True


def _forget_waiting(db: apsw.Connection) -> None:
    """Remove memories with pending chunks from the space, so that switching back to it embeds them again."""
    active = active_space(db)
    number = active[0] if active else None
    rows = db.execute("SELECT DISTINCT key FROM passages WHERE space IS NULL")
    keys = [key for (key,) in cast("list[tuple[int]]", rows.fetchall())]
    ids = db.execute(
        """SELECT id FROM passages WHERE key IN (SELECT value FROM json_each(?))
           AND (space IS NULL OR space = ?)""",
        (to_json(keys), number),
    )
    chunks.drop(db, [passage_id for (passage_id,) in cast("list[tuple[int]]", ids.fetchall())])


def drop(db: apsw.Connection, space: Space) -> None:
    """Remove an inactive space with its vectors; does nothing if it does not exist.

    Raises:
        ConflictError: it is active.
    """
    active = active_space(db)
    if active is not None and active[1] == space:
        raise in_use(space)
    number = chunks.number_of(db, space)
    if number is not None:
        db.execute("DELETE FROM passages WHERE space = ?", (number,))
        db.execute(f"DROP TABLE vectors_{number:d}")
        db.execute("DELETE FROM spaces WHERE number = ?", (number,))
