"""Chunks and their vectors, which are always written and removed together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import cast

from psycopg import sql

from memory_mcp.domain.models import Chunk, Embedded, Space
from memory_mcp.storage.postgres.db.changes import log_change
from memory_mcp.storage.postgres.db.entries import IndexEntry
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.tallies import Tally, add_tallies, vectors_in
from memory_mcp.storage.postgres.vectors.active import active_space, lock_spaces, make_space, share_spaces
from memory_mcp.storage.postgres.vectors.values import Vector, table


def insert_all(db: PgSession, items: Sequence[tuple[IndexEntry, Embedded]]) -> list[bool]:
    """Write the chunks of memories with their vectors; return of each memory whether all have one."""
    numbers = _numbers_for(db, [embedded for _, embedded in items])
    insert(
        db,
        [
            (entry, part, number)
            for (entry, embedded), number in zip(items, numbers, strict=True)
            for part in embedded.chunks
        ],
    )
    return [
        all(part.vector is not None and number is not None and not part.error for part in embedded.chunks)
        for (_, embedded), number in zip(items, numbers, strict=True)
    ]


def _numbers_for(db: PgSession, items: Sequence[Embedded]) -> list[int | None]:
    """Return the numbers of these spaces, each None if it is not active; the store is asked once for each."""
    known: dict[Space | None, int | None] = {None: None}
    numbers: list[int | None] = []
    for embedded in items:
        if embedded.space not in known:
            number = _number_for(db, embedded.space, embedded.chunks)
            if number is None and active_space(db) is None:  # vectors are still to come
                numbers.append(None)
                continue
            known[embedded.space] = number
        numbers.append(known[embedded.space])
    return numbers


def _number_for(db: PgSession, space: Space | None, parts: Sequence[Chunk]) -> int | None:
    """Return the number of this space if it is active; the first vectors activate theirs."""
    if space is None:
        return None
    active = share_spaces(db)
    if active is None and any(part.vector is not None for part in parts):
        lock_spaces(db)
        active = active_space(db)  # another front's first vectors may have come before
        if active is None:
            return make_space(db, space, active=True)
    return active[0] if active is not None and active[1] == space else None


def insert(db: PgSession, parts: Sequence[tuple[IndexEntry, Chunk, int | None]]) -> None:
    """Write chunks, each with its vector if it has one of the space of this number."""
    if not parts:
        return
    numbers = db.rows(
        """INSERT INTO passages (key, namespace, documents, first, last, state, error, space)
           SELECT key, namespace, documents, first, last, state, error, space
           FROM unnest(%s::bigint[], %s::text[], %s::boolean[], %s::integer[], %s::integer[], %s::text[], %s::text[],
                       %s::integer[]) WITH ORDINALITY
                AS c(key, namespace, documents, first, last, state, error, space, place)
           ORDER BY place RETURNING id""",
        [list(column) for column in zip(*(_row(*part) for part in parts), strict=True)],
    )
    by_space: dict[int, list[tuple[IndexEntry, Chunk, int]]] = defaultdict(list)
    for (entry, part, space), (passage,) in zip(parts, cast("list[tuple[int]]", numbers), strict=True):
        if space is not None and part.vector is not None:
            by_space[space].append((entry, part, passage))
    for space, rows in by_space.items():
        _insert_vectors(db, space, rows)


def _row(entry: IndexEntry, part: Chunk, space: int | None) -> tuple[object, ...]:
    state = "failed" if part.error else "pending" if part.vector is None or space is None else "embedded"
    number = None if state == "pending" else space
    return entry.key, entry.namespace, entry.is_document, part.start, part.end, state, part.error, number


def _insert_vectors(db: PgSession, space: int, rows: Sequence[tuple[IndexEntry, Chunk, int]]) -> None:
    db.run_many(
        sql.SQL(
            """INSERT INTO {} (namespace, documents, key, passage, first, embedding)
               VALUES (%s, %s, %s, %s, %s, %s::vector)"""
        ).format(table(space)),
        [
            (entry.namespace, entry.is_document, entry.key, passage, part.start, Vector(cast("bytes", part.vector)))
            for entry, part, passage in rows
        ],
    )
    add_tallies(db, Counter((entry.namespace, entry.is_document, vectors_in(space)) for entry, _, _ in rows))


def refile(db: PgSession, before: IndexEntry, after: IndexEntry) -> None:
    """Move a memory's chunks and vectors to another partition of its namespace."""
    moved = db.rows(
        "UPDATE passages SET documents = %s WHERE key = %s RETURNING space, state", (after.is_document, after.key)
    )
    counts = Counter(space for space, state in cast("list[tuple[int, str]]", moved) if state == "embedded")
    for space, count in counts.items():
        db.execute(
            sql.SQL("UPDATE {} SET documents = %s WHERE namespace = %s AND key = %s").format(table(space)),
            (after.is_document, after.namespace, after.key),
        )
        name = vectors_in(space)
        add_tallies(db, {(*before.partition, name): -count, (*after.partition, name): count})


def drop_of(db: PgSession, entries: Sequence[IndexEntry]) -> None:
    """Remove the chunks of memories, and their vectors in all spaces."""
    _drop(db, "key", [entry.key for entry in entries])


def drop_waiting(db: PgSession, key: int) -> None:
    """Remove a memory's chunks that are not in any space."""
    db.execute("DELETE FROM passages WHERE key = %s AND space IS NULL", (key,))


def drop(db: PgSession, passages: Sequence[int]) -> None:
    """Remove chunks and their vectors."""
    _drop(db, "id", passages)


def _drop(db: PgSession, column: str, numbers: Sequence[int]) -> None:
    rows = db.rows(
        sql.SQL(
            "DELETE FROM passages WHERE {} = ANY(%s::bigint[]) RETURNING id, namespace, documents, space, state"
        ).format(sql.Identifier(column)),
        (list(numbers),),
    )
    gone: dict[tuple[int, str], list[int]] = defaultdict(list)
    counts: Counter[Tally] = Counter()
    for passage, namespace, documents, space, state in cast("list[tuple[int, str, bool, int | None, str]]", rows):
        if state == "embedded" and space is not None:
            gone[space, namespace].append(passage)
            counts[namespace, documents, vectors_in(space)] -= 1
    for (space, namespace), passages in gone.items():
        db.execute(
            sql.SQL(
                """DELETE FROM {} WHERE namespace = %s AND documents = ANY('{{false,true}}')
                   AND passage = ANY(%s::bigint[])"""
            ).format(table(space)),
            (namespace, passages),
        )
    add_tallies(db, counts)


def retry_failed(db: PgSession, made_by: str | None) -> int:
    """Queue the active space's failed chunks again, except those that `made_by` refused; return how many."""
    active = active_space(db)
    ending = None if made_by is None else f"[{made_by}]"
    return db.changed(
        """UPDATE passages SET state = 'pending', error = NULL, space = NULL
           WHERE state = 'failed' AND state <> 'embedded' AND (space IS NULL OR space = %s)
             AND (%s::text IS NULL OR right(error, length(%s::text)) <> %s::text)""",
        (active[0] if active else None, ending, ending, ending),
    )


def set_vectors(db: PgSession, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
    """Replace queued chunks by their results; skips chunks that are gone, no longer pending, or in another's hands."""
    active = share_spaces(db)
    if active is not None and active[1] != space:
        return
    number = active[0] if active else _number_for(db, space, [part for _, parts in results for part in parts])
    parts_of = dict(results)
    rows = db.rows(
        """SELECT p.id, m.key, m.id, m.namespace, p.documents FROM passages AS p JOIN memories AS m USING (key)
           WHERE p.id = ANY(%s::bigint[]) AND p.state = 'pending' ORDER BY p.id
           FOR UPDATE OF p SKIP LOCKED""",
        (list(parts_of),),
    )
    waiting = cast("list[tuple[int, int, str, str, bool]]", rows)
    db.execute("DELETE FROM passages WHERE id = ANY(%s::bigint[])", ([passage for passage, *_ in waiting],))
    insert(
        db,
        [
            (IndexEntry(key, namespace, documents, ""), part, number)
            for passage, key, _, namespace, documents in waiting
            for part in parts_of[passage]
        ],
    )
    changed: dict[str, dict[str, None]] = defaultdict(dict)
    for _, _, memory_id, namespace, _ in waiting:
        changed[namespace][memory_id] = None
    for namespace, ids in changed.items():
        log_change(db, "embed", namespace, list(ids))
