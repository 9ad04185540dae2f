"""The context of a memory: its neighbours in the conversation, its vector mixed with theirs, a partition's sample."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final, cast

from psycopg import sql

from memory_mcp.domain.models import BackgroundScores, Filters, Neighbours
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.vectors.nearest import count
from memory_mcp.storage.postgres.vectors.values import Vector, received, table
from memory_mcp.storage.vectors import sampled

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

_CHOSEN: Final = """
  WITH ends AS (
    SELECT min(passage) AS first, max(passage) AS last FROM {vectors} WHERE namespace = %s AND documents = %s
  ), chosen AS (
    SELECT DISTINCT ON (v.passage) v.passage, v.embedding FROM ends, unnest(%s::bigint[]) AS place
    CROSS JOIN LATERAL (
      SELECT passage, embedding FROM {vectors} WHERE namespace = %s AND documents = %s
        AND passage >= ends.first + place * (ends.last - ends.first + 1) / %s
      ORDER BY passage LIMIT 1) AS v
  )
  SELECT 1 - (embedding <=> %s::vector) FROM chosen ORDER BY passage
"""
_FIRST: Final = """
  SELECT DISTINCT ON (key) key, vector_send(embedding) FROM {vectors}
  WHERE namespace = %s AND key = ANY(%s::bigint[]) ORDER BY key, first
"""
_SCATTERED: Final = """
  SELECT 1 - (v.embedding <=> %s::vector) FROM (
    SELECT passage FROM {vectors} WHERE namespace = %s AND documents = %s ORDER BY hashint8(passage) LIMIT %s) AS chosen
  JOIN {vectors} AS v ON v.namespace = %s AND v.documents = %s AND v.passage = chosen.passage ORDER BY v.passage
"""


def contextual_similarity(
    db: PgSession,
    number: int,
    vector: bytes,
    filed: Mapping[str, Sequence[int]],
    around: Mapping[int, Neighbours],
    shares: Sequence[float],
) -> dict[int, float]:
    """Return the cosine of each memory's contextual vector; absent without a vector.

    Args:
        db: inside a read transaction.
        number: the space's.
        vector: the query's.
        filed: the memories, by namespace.
        around: the neighbours of each.
        shares: the weight of a neighbour by its distance; the memory's own weight is 1.
    """
    found: dict[int, float] = {}
    query = Vector(vector)
    weights = [Vector(array("f", [share] * query.dimensions).tobytes()) for share in shares]
    for namespace, keys in filed.items():
        beside = [
            (key, member, distance)
            for key in keys
            for side in (around[key].before, around[key].after)
            for distance, member in enumerate(side[: len(shares)], 1)
        ]
        columns = [list(column) for column in zip(*beside, strict=True)] or [[], [], []]
        rows = db.rows(
            _mixing(number, len(shares)), (namespace, list(keys), query, *weights, *columns, namespace, query)
        )
        found |= dict(cast("list[tuple[int, float]]", rows))
    return found


def background_scores(db: PgSession, number: int, vector: bytes, filters: Filters, wanted: int) -> BackgroundScores:
    """Return the cosines to a sample of a partition's chunks; `filters` say which one is meant.

    An unchanged store returns the same ones again, so that equal searches have equal results.
    """
    total = count(db, number, filters)
    partition, query = (filters.namespace, filters.documents), Vector(vector)
    if wanted < total:
        rows = db.rows(_on(_CHOSEN, number), (*partition, sampled(total, wanted), *partition, total, query))
        if len(rows) == wanted:
            return _scores(total, rows)
    scattered = (query, *partition, wanted, *partition)  # or there are gaps between the numbers of its chunks
    return _scores(total, db.rows(_on(_SCATTERED, number), scattered) if total else ())


def first_vectors(db: PgSession, number: int, filed: Mapping[str, Sequence[int]]) -> dict[int, bytes]:
    """Return the vector of each memory's first embedded chunk; the memories are by namespace."""
    found: dict[int, bytes] = {}
    for namespace, keys in filed.items():
        rows = db.rows(_on(_FIRST, number), (namespace, list(keys)))
        found |= {key: received(sent) for key, sent in cast("list[tuple[int, bytes]]", rows)}
    return found


def _scores(total: int, rows: Sequence[Sequence[object]]) -> BackgroundScores:
    return BackgroundScores(total, tuple(cast("float", cosine) for (cosine,) in rows))


def _mixing(number: int, shares: int) -> sql.Composed:
    """Return the statement that adds vectors to each memory's own, each weighed by its distance."""
    known = [sql.SQL("WHEN {} THEN %s::vector").format(at) for at in range(1, shares + 1)]
    weights = sql.SQL(" ").join([*known, sql.SQL("WHEN 0 THEN NULL::vector")])
    return sql.SQL(_IN_CONTEXT).format(vectors=table(number), weights=weights)


def _on(text: str, number: int) -> sql.Composed:
    return sql.SQL(text).format(vectors=table(number))
