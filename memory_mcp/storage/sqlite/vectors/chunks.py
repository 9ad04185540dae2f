"""Chunks and their vectors, which are always written and removed together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Chunk, Embedded, Space
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.partitions import partition_of
from memory_mcp.storage.sqlite.vectors.exact import active_space

VECTORS_PER_CHUNK: Final = 256
"""sqlite-vec reserves this many vectors at a time for each partition; its default of 1,024 costs 1.5 MB each."""


def number_of(db: apsw.Connection, space: Space) -> int | None:
    """Return the number of a space; None if the file has no such space."""
    row = db.execute("SELECT number FROM spaces WHERE id = ? AND dimensions = ?", (space.id, space.dimensions)).get
    return cast("int | None", row)


def make_space(db: apsw.Connection, space: Space, *, active: bool = False) -> int:
    """Return the number of a space; creates it with its vector table if necessary.

    `active` activates it, in a store without an active space; pending chunks of memories that have been filled into it
    are removed.
    """
    known = number_of(db, space)
    if known is not None:
        if active:
            db.execute("UPDATE spaces SET active = 1 WHERE number = ?", (known,))
            db.execute(
                "DELETE FROM passages WHERE space IS NULL AND key IN (SELECT key FROM passages WHERE space = ?)",
                (known,),
            )
        return known
    db.execute(
        "INSERT INTO spaces (id, dimensions, active) VALUES (?, ?, ?)", (space.id, space.dimensions, int(active))
    )
    number = db.last_insert_rowid()
    db.execute(
        f"""CREATE VIRTUAL TABLE vectors_{number:d} USING vec0 (
              passage_id INTEGER PRIMARY KEY, namespace TEXT PARTITION KEY,
              embedding float[{space.dimensions:d}] distance_metric=cosine, chunk_size={VECTORS_PER_CHUNK:d})"""
    )
    return number


def _number_for(db: apsw.Connection, space: Space | None, parts: Sequence[Chunk]) -> int | None:
    """Return the number of this space if it is active; the first vectors activate theirs."""
    if space is None:
        return None
    store = active_space(db)
    if store is not None:
        return store[0] if store[1] == space else None
    return make_space(db, space, active=True) if any(part.vector is not None for part in parts) else None


def insert_all(db: apsw.Connection, key: int, partition: str, embedded: Embedded) -> bool:
    """Write a memory's chunks with their vectors; return whether all have one."""
    number = _number_for(db, embedded.space, embedded.chunks)
    have_vectors = [insert(db, key, partition, passage, number) for passage in embedded.chunks]
    return all(have_vectors)


def insert(db: apsw.Connection, key: int, partition: str, passage: Chunk, number: int | None) -> bool:
    """Write a chunk, and its vector if it has one of this space; return whether it has."""
    vector = None if number is None else passage.vector
    state = "failed" if passage.error else "pending" if vector is None else "embedded"
    db.execute(
        "INSERT INTO passages (key, first, last, state, error, space) VALUES (?, ?, ?, ?, ?, ?)",
        (key, passage.start, passage.end, state, passage.error, None if state == "pending" else number),
    )
    if vector is not None:
        db.execute(
            f"INSERT INTO vectors_{number:d} (passage_id, namespace, embedding) VALUES (?, ?, ?)",  # noqa: S608 - a number of ours
            (db.last_insert_rowid(), partition, vector),
        )
    return state == "embedded"


def refile(db: apsw.Connection, key: int, partition: str) -> None:
    """Move a memory's vectors to another partition; its chunks get new ids, so that fronts notice."""
    rows = db.execute("SELECT first, last, error, space, id FROM passages WHERE key = ? ORDER BY id", (key,)).fetchall()
    held = [
        (Chunk(first, last, _vector(db, space, passage_id), error), space)
        for first, last, error, space, passage_id in cast("list[tuple[int, int, str | None, int | None, int]]", rows)
    ]
    drop_of(db, key)
    for passage, space in held:
        insert(db, key, partition, passage, space)


def _vector(db: apsw.Connection, space: int | None, passage_id: int) -> bytes | None:
    if space is None:
        return None
    sql = f"SELECT embedding FROM vectors_{space:d} WHERE passage_id = ?"  # noqa: S608 - a number of ours
    return cast("bytes | None", db.execute(sql, (passage_id,)).get)


def drop_of(db: apsw.Connection, key: int) -> None:
    """Remove a memory's chunks in all spaces."""
    rows = db.execute("SELECT id FROM passages WHERE key = ?", (key,)).fetchall()
    drop(db, [passage_id for (passage_id,) in cast("list[tuple[int]]", rows)])


def drop_waiting(db: apsw.Connection, key: int) -> None:
    """Remove a memory's chunks that are not in any space."""
    db.execute("DELETE FROM passages WHERE key = ? AND space IS NULL", (key,))


def drop(db: apsw.Connection, passage_ids: Sequence[int]) -> None:
    """Remove chunks and their vectors."""
    for passage_id in passage_ids:
        number = db.execute("DELETE FROM passages WHERE id = ? RETURNING space", (passage_id,)).get
        if number is not None:
            db.execute(f"DELETE FROM vectors_{cast('int', number):d} WHERE passage_id = ?", (passage_id,))  # noqa: S608 - a number of ours


def retry_failed(db: apsw.Connection, made_by: str | None) -> int:
    """Queue the active space's failed chunks again, except those that `made_by` refused; return how many."""
    store = active_space(db)
    ending = None if made_by is None else f"[{made_by}]"
    db.execute(  # in the terms of the partial index over chunks without a vector, so that SQLite uses it
        """UPDATE passages SET state = 'pending', error = NULL, space = NULL
           WHERE state <> 'embedded' AND state = 'failed' AND (space IS NULL OR space = ?1)
             AND (?2 IS NULL OR substr(error, -length(?2)) <> ?2)""",
        (store[0] if store else None, ending),
    )
    return db.changes()


def set_vectors(db: apsw.Connection, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]], now: int) -> None:
    """Replace queued chunks by their results; skips chunks that are gone or no longer pending."""
    store = active_space(db)
    if store is not None and store[1] != space:
        return
    number = _number_for(db, space, [part for _, parts in results for part in parts])
    changed: dict[str, list[str]] = {}
    for passage_id, parts in results:
        row = db.execute(
            """SELECT m.key, m.id, m.namespace, m.type FROM passages AS p JOIN memories AS m USING (key)
               WHERE p.id = ? AND p.state = 'pending'""",
            (passage_id,),
        ).fetchone()
        if row is None:
            continue
        key, memory_id, namespace, memory_type = cast("tuple[int, str, str, str]", row)
        db.execute("DELETE FROM passages WHERE id = ?", (passage_id,))
        for part in parts:
            insert(db, key, partition_of(namespace, memory_type), part, number)
        changed.setdefault(namespace, []).append(memory_id)
    for namespace, ids in changed.items():
        log_change(db, now, "embed", namespace, dict.fromkeys(ids))
