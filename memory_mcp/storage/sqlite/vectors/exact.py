"""Exact vector search in sqlite-vec; filters are part of the search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Filters, Match, Space
from memory_mcp.storage.rows import to_json
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.sqlite.db.partitions import searched
from memory_mcp.storage.vectors import check_space, clipped

MAX_K: Final = 4096
"""The most results that sqlite-vec returns at once."""


def active_space(db: apsw.Connection) -> tuple[int, Space] | None:
    """Return the active space with its number; None before the first vector."""
    row = db.execute("SELECT number, id, dimensions FROM spaces WHERE active = 1").fetchone()
    if row is None:
        return None
    number, space_id, dimensions = cast("tuple[int, str, int]", row)
    return number, Space(space_id, dimensions)


def space(db: apsw.Connection) -> Space | None:
    """Return the active space; None before the first vector."""
    active = active_space(db)
    return None if active is None else active[1]


def nearest(db: apsw.Connection, number: int, vector: bytes, filters: Filters, limit: int, chunks: int) -> list[Match]:
    """Return the memories whose best chunk is nearest by cosine, best first.

    Args:
        db: inside a read transaction.
        number: the space's.
        vector: the query's.
        filters: pass on what may be found.
        limit: how many memories are wanted.
        chunks: how many their partition has in all.
    """
    best: dict[int, tuple[float, int]] = {}
    k = min(MAX_K, _first_k(db, searched(filters), limit, chunks))
    while True:
        rows = _neighbours(db, number, vector, filters, k, excluded=list(best) if k == MAX_K else [])
        for passage_id, key, score in rows:
            best.setdefault(key, (score, passage_id))
        if len(best) >= limit or len(rows) < k:
            break
        k = (
            min(MAX_K, 4 * k) if k < limit * 4 else MAX_K
        )  # chunks of few memories fill the results: ask for more, then exclude these memories
    ranked = sorted(best.items(), key=lambda entry: -entry[1][0])[:limit]
    return _matches(db, ranked)


def _first_k(db: apsw.Connection, partition: str, limit: int, chunks: int) -> int:
    """Return how many chunks to ask for at first: some to spare, unless each memory has one, as the scan takes longer.

    Three times as many results double its time.
    """
    memories = cast("int | None", db.execute("SELECT memories FROM partitions WHERE namespace = ?", (partition,)).get)
    return limit if chunks <= (memories or 0) else max(limit + limit // 4, 64)


def compare(db: apsw.Connection, vector: bytes, space: Space, keys: Sequence[int]) -> list[Match]:
    """Return the cosine of each memory's best chunk, in no order; memories without a vector are omitted.

    Raises:
        SpaceMismatchError: the store's vectors are of another space.
    """
    number = vectors_of(db, space)
    if number is None or not keys:
        return []
    rows = db.execute(
        f"""SELECT p.key, p.id, 1 - vec_distance_cosine(v.embedding, ?) AS score
            FROM passages AS p JOIN vectors_{number:d} AS v ON v.passage_id = p.id
            WHERE p.key IN (SELECT value FROM json_each(?)) ORDER BY score DESC""",  # noqa: S608 - a number of ours
        (vector, str(list(keys))),
    )
    best: dict[int, tuple[float, int]] = {}
    for key, passage_id, score in cast("Iterator[tuple[int, int, float]]", rows):
        best.setdefault(key, (clipped(score), passage_id))
    return _matches(db, best.items())


def cosines(db: apsw.Connection, vector: bytes, rows: bytes) -> list[float]:
    """Return the cosine of a vector to each of some others (all float32, little-endian), in one statement."""
    found = db.execute(
        "SELECT 1 - vec_distance_cosine(?1, substr(?2, 1 + value, ?3)) FROM json_each(?4) ORDER BY key",
        (vector, rows, len(vector), _starts(len(vector), len(rows))),
    )
    return list(chain.from_iterable(cast("Iterator[tuple[float]]", found)))


@lru_cache(256)  # searches compare about as many each
def _starts(step: int, end: int) -> str:
    return to_json(list(range(0, end, step)))


def vectors_of(db: apsw.Connection, space: Space) -> int | None:
    """Return the number of the active space; None before the first vector.

    Raises:
        SpaceMismatchError: `space` is another one.
    """
    active = active_space(db)
    if active is None:
        return None
    number, stored = active
    check_space(stored, space)
    return number


def _neighbours(
    db: apsw.Connection, number: int, vector: bytes, filters: Filters, k: int, excluded: list[int]
) -> list[tuple[int, int, float]]:
    """Return (chunk id, memory key, cosine) of the k nearest chunks, best first."""
    where = condition(filters)
    if excluded:
        where.add("m.key NOT IN (SELECT value FROM json_each(?))", str(excluded))
    narrowing = f"""AND passage_id IN (
        SELECT p.id FROM passages AS p JOIN memories AS m ON m.key = p.key WHERE {where.sql})"""  # noqa: S608 - only parameters
    narrow = bool(excluded) or filters.is_narrow
    found = db.execute(
        f"""SELECT n.passage_id, p.key, 1 - n.distance FROM (
              SELECT passage_id, distance FROM vectors_{number:d}
              WHERE embedding MATCH ? AND k = ? AND namespace = ? {narrowing if narrow else ""}
            ) AS n JOIN passages AS p ON p.id = n.passage_id ORDER BY n.distance""",  # noqa: S608 - a number of ours
        (vector, k, searched(filters), *(where.parameters if narrow else ())),
    )
    return [
        (passage_id, key, clipped(score)) for passage_id, key, score in cast("Iterator[tuple[int, int, float]]", found)
    ]


def best_matches(db: apsw.Connection, found: Iterable[tuple[int, int, float]], limit: int) -> list[Match]:
    """Return the best memories of (chunk id, memory key, cosine), which are sorted best first."""
    best: dict[int, tuple[float, int]] = {}
    for passage_id, key, cosine in found:
        if len(best) == limit:
            break
        best.setdefault(key, (clipped(cosine), passage_id))
    return _matches(db, best.items())


def _matches(db: apsw.Connection, found: Iterable[tuple[int, tuple[float, int]]]) -> list[Match]:
    """Convert (key, (cosine, chunk id)) to matches; a match names its chunk if the memory has several."""
    found = list(found)
    rows = db.execute(
        """SELECT p.key, p.first, p.last FROM json_each(?) AS w CROSS JOIN passages AS p ON p.id = w.value
           WHERE EXISTS (SELECT 1 FROM passages AS o
                         WHERE o.key = p.key AND o.id <> p.id AND (o.space IS NULL OR o.space = p.space))""",
        (to_json([passage_id for _, (_, passage_id) in found]),),
    )
    spans = {key: (first, last) for key, first, last in cast("Iterator[tuple[int, int, int]]", rows)}
    return [Match(key, score, spans.get(key)) for key, (score, _) in found]
