"""The context of a memory: its neighbours in the conversation, its vector mixed with theirs, a partition's sample."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Final, LiteralString, cast

from psycopg import sql

from memory_mcp.domain.models import BackgroundScores, Filters, Neighbours, Space
from memory_mcp.storage.postgres.db.session import Session
from memory_mcp.storage.postgres.vectors.active import active_space, vectors_of
from memory_mcp.storage.postgres.vectors.nearest import by_namespace, count
from memory_mcp.storage.postgres.vectors.values import Vector, received, table

REACH: Final = 2
"""Neighbours on each side; measured, more of them improve nothing."""


def _side(comparison: str, order: str) -> str:
    return f"""ARRAY(
      SELECT n.key FROM memories AS n
      WHERE n.namespace = m.namespace AND n.conversation_id = m.conversation_id AND n.deleted_at IS NULL
        AND n.conversation_id IS NOT NULL AND (n.created_at, n.key) {comparison} (m.created_at, m.key)
      ORDER BY n.created_at {order}, n.key {order} LIMIT {REACH})"""  # noqa: S608 - constants


_NEIGHBOURS: Final = f"""
  SELECT m.key, {_side("<", "DESC")}, {_side(">", "ASC")} FROM memories AS m
  WHERE m.key = ANY(%s::bigint[]) AND m.conversation_id IS NOT NULL AND m.deleted_at IS NULL
"""  # noqa: S608 - constants

_IN_CONTEXT: Final = """
  WITH own AS (
    SELECT DISTINCT ON (key) key AS owner, embedding FROM {vectors}
    WHERE namespace = %s AND key = ANY(%s::bigint[]) ORDER BY key, embedding <=> %s::vector
  ), beside AS (
    SELECT a.owner, v.embedding * CASE a.distance {weights} END AS embedding
    FROM unnest(%s::bigint[], %s::bigint[], %s::integer[]) AS a(owner, member, distance)
    CROSS JOIN LATERAL (
      SELECT embedding FROM {vectors} WHERE namespace = %s AND key = a.member ORDER BY first LIMIT 1) AS v
  )
  SELECT owner, 1 - (sum(embedding) <=> %s::vector) FROM (
    SELECT owner, embedding FROM own UNION ALL
    SELECT owner, embedding FROM beside WHERE owner IN (SELECT owner FROM own)) AS mixed
  GROUP BY owner
"""

_EVENLY: Final = """
  WITH ends AS (
    SELECT min(passage) AS first, max(passage) AS last FROM {vectors} WHERE namespace = %s AND documents = %s
  ), chosen AS (
    SELECT DISTINCT ON (v.passage) v.passage, v.embedding FROM ends, generate_series(0, %s - 1) AS step(number)
    CROSS JOIN LATERAL (
      SELECT passage, embedding FROM {vectors} WHERE namespace = %s AND documents = %s
        AND passage >= ends.first + step.number * (ends.last - ends.first + 1) / %s
      ORDER BY passage LIMIT 1) AS v
  )
  SELECT 1 - (embedding <=> %s::vector) FROM chosen ORDER BY passage
"""
_SCATTERED: Final = """
  SELECT 1 - (v.embedding <=> %s::vector) FROM (
    SELECT passage FROM {vectors} WHERE namespace = %s AND documents = %s ORDER BY hashint8(passage) LIMIT %s) AS chosen
  JOIN {vectors} AS v ON v.namespace = %s AND v.documents = %s AND v.passage = chosen.passage ORDER BY v.passage
"""


def neighbours(db: Session, keys: Collection[int]) -> dict[int, Neighbours]:
    """Return the live neighbours of each memory in its conversation; a key without a conversation is absent."""
    rows = cast("list[tuple[int, list[int], list[int]]]", db.rows(_NEIGHBOURS, (list(keys),)))
    return {key: Neighbours(tuple(before), tuple(after)) for key, before, after in rows}


def contextual_similarity(
    db: Session, vector: bytes, space: Space, around: Mapping[int, Neighbours], shares: Sequence[float]
) -> dict[int, float]:
    """Return the cosine of each memory's contextual vector; absent without a vector.

    Raises:
        SpaceMismatchError: the store's vectors are of another space.
    """
    number = vectors_of(db, space)
    if number is None or not around:
        return {}
    found: dict[int, float] = {}
    for namespace, keys in by_namespace(db, around).items():
        beside = [
            (key, member, distance)
            for key in keys
            for side in (around[key].before, around[key].after)
            for distance, member in enumerate(side[: len(shares)], 1)
        ]
        owners, members, distances = zip(*beside, strict=True) if beside else ((), (), ())
        weights = [Vector(array("f", [share] * space.dimensions).tobytes()) for share in shares]
        query = Vector(vector)
        rows = db.rows(
            _mixing(number, len(shares)),
            (namespace, keys, query, *weights, [*owners], [*members], [*distances], namespace, query),
        )
        found |= dict(cast("list[tuple[int, float]]", rows))
    return found


def background_scores(db: Session, vector: bytes, space: Space, filters: Filters, wanted: int) -> BackgroundScores:
    """Return the cosines to a sample of a partition's chunks; `filters` say which one is meant.

    Raises:
        SpaceMismatchError: the store's vectors are of another space.
    """
    number = vectors_of(db, space)
    total = 0 if number is None else count(db, number, filters)
    if number is None or not total:
        return BackgroundScores(0, ())
    partition, query = (filters.namespace, filters.documents), Vector(vector)
    if wanted < total:
        rows = db.rows(_on(_EVENLY, number), (*partition, wanted, *partition, wanted, query))
        if len(rows) == wanted:
            return _scores(total, rows)
    scattered = (query, *partition, wanted, *partition)  # or there are gaps between the numbers of its chunks
    return _scores(total, db.rows(_on(_SCATTERED, number), scattered))


def first_vectors(db: Session, keys: Collection[int]) -> dict[int, bytes]:
    """Return the vector of each memory's first embedded chunk in the active space."""
    active = active_space(db)
    if active is None:
        return {}
    found: dict[int, bytes] = {}
    for namespace, members in by_namespace(db, keys).items():
        rows = db.rows(
            _on(
                """SELECT DISTINCT ON (key) key, vector_send(embedding) FROM {vectors}
                   WHERE namespace = %s AND key = ANY(%s::bigint[]) ORDER BY key, first""",
                active[0],
            ),
            (namespace, members),
        )
        found |= {key: received(sent) for key, sent in cast("list[tuple[int, bytes]]", rows)}
    return found


def _scores(total: int, rows: Sequence[Sequence[object]]) -> BackgroundScores:
    return BackgroundScores(total, tuple(cast("float", cosine) for (cosine,) in rows))


def _mixing(number: int, shares: int) -> sql.Composed:
    """Return the statement that adds vectors to each memory's own, each weighed by its distance."""
    weights = sql.SQL(" ").join(sql.SQL("WHEN {} THEN %s::vector").format(at) for at in range(1, shares + 1))
    return sql.SQL(_IN_CONTEXT).format(vectors=table(number), weights=weights)


def _on(text: str, number: int) -> sql.Composed:
    return sql.SQL(cast("LiteralString", text)).format(vectors=table(number))
