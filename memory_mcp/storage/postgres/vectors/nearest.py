"""Vector search; filters are part of it. The way depends on how many vectors there are to look at.

Few pass the filters, or the partition is small: each is compared. Otherwise pgvector's graph is walked, over rounded
vectors, until enough pass, and what it brings is compared exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from psycopg import sql

from memory_mcp.domain.models import Filters, Match
from memory_mcp.storage.postgres.db.conditions import condition
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.lexical.tallies import vectors_in
from memory_mcp.storage.postgres.vectors.values import Vector, table
from memory_mcp.storage.vectors import clipped

LARGE: Final = 10_000
"""Vectors of a partition from which the graph is walked; to compare so many takes about 8 ms."""
FEW: Final = 1_000
"""Memories that pass the filters in a large partition, up to which each is compared."""
SPARE: Final = 2
"""Vectors to look at for each wanted memory: some memories have several, and the graph's order is not exact."""
LEAST: Final = 128
"""Vectors to look at, at least."""
NearRow = tuple[int, int, float]
"""Chunk, memory and cosine."""
BestChunks = dict[int, tuple[float, int]]
"""Memories, best first, each with its cosine and its nearest chunk."""


def nearest(
    db: PgSession, number: int, vector: bytes, filters: Filters, limit: int, *, large: int = LARGE
) -> list[Match]:
    """Return the memories whose best chunk is nearest by cosine, best first.

    Args:
        db: inside a read transaction.
        number: the space's.
        vector: the query's.
        filters: say which partition is meant, and pass on what may be found.
        limit: how many memories are wanted.
        large: vectors of a partition from which the graph is walked.
    """
    search = _Search(db, number, Vector(vector), filters)
    if count(db, number, filters) <= large:
        return _matches(db, number, search.exactly(limit))
    if filters.is_narrow and (keys := search.passing(FEW)) is not None:
        return _matches(db, number, search.among(keys, limit))
    return _matches(db, number, search.by_graph(limit))


def compare(db: PgSession, number: int, vector: bytes, filed: Mapping[str, Sequence[int]]) -> list[Match]:
    """Return the cosine of each memory's best chunk, in no order; one without a vector is absent."""
    best: BestChunks = {}
    for namespace, keys in filed.items():
        best |= _Search(db, number, Vector(vector), Filters(namespace)).among(keys, len(keys))
    return _matches(db, number, best)


def count(db: PgSession, number: int, filters: Filters) -> int:
    """Return how many vectors of a space a partition has."""
    counted = db.value(
        "SELECT memories FROM tallies WHERE namespace = %s AND documents = %s AND name = %s",
        (filters.namespace, filters.documents, vectors_in(number)),
    )
    return cast("int | None", counted) or 0


def namespaces_of(db: PgSession, keys: Collection[int]) -> dict[int, str]:
    """Return the namespaces of live memories, where their vectors lie."""
    rows = db.rows("SELECT key, namespace FROM indexed WHERE key = ANY(%s::bigint[])", (list(keys),))
    return dict(cast("list[tuple[int, str]]", rows))


@dataclass(frozen=True, slots=True)
class _Search:
    """The ways of searching one partition."""

    db: PgSession
    number: int
    """The space's."""
    vector: Vector
    filters: Filters

    def exactly(self, limit: int) -> BestChunks:
        """Compare each vector that passes."""
        wanted = max(LEAST, SPARE * limit)
        while True:
            rows = self._ordered(wanted)
            best = _best(rows, limit)
            if len(best) >= limit or len(rows) < wanted:
                return best
            wanted *= 4  # chunks of few memories fill the results

    def passing(self, most: int) -> list[int] | None:
        """Return the memories that pass the filters; None if there are more than `most`."""
        where = condition(self.filters)
        rows = self.db.rows(
            f"SELECT m.key FROM memories AS m WHERE {where.sql} LIMIT {most + 1:d}",  # noqa: S608 - only parameters
            where.parameters,
        )
        return None if len(rows) > most else [key for (key,) in cast("list[tuple[int]]", rows)]

    def among(self, keys: Sequence[int], limit: int) -> BestChunks:
        """Compare the vectors of these memories."""
        rows = self.db.rows(
            sql.SQL(
                """SELECT v.passage, v.key, 1 - (v.embedding <=> %s::vector) AS cosine FROM {} AS v
                   WHERE v.namespace = %s AND v.key = ANY(%s::bigint[]) ORDER BY cosine DESC"""
            ).format(table(self.number)),
            (self.vector, self.filters.namespace, list(keys)),
        )
        return _best(cast("list[NearRow]", rows), limit)

    def by_graph(self, limit: int) -> BestChunks:
        """Walk the graph until enough pass, and compare what it brings exactly."""
        wanted = max(LEAST, SPARE * limit)
        while True:
            rows = self._walked(wanted)
            best = _best(rows, limit)
            if len(best) >= limit:
                return best
            if len(rows) < wanted:  # the walk ended before enough passed
                return self.exactly(limit)
            wanted *= 4

    def _ordered(self, wanted: int) -> list[NearRow]:
        """Return the nearest chunks by full vectors: no index has their order."""
        joined, passing, parameters = self._narrowing()
        return self._rows(
            f"""SELECT v.passage, v.key, 1 - (v.embedding <=> %s::vector) FROM {{}} AS v {joined}
                WHERE v.namespace = %s AND v.documents = %s {passing}
                ORDER BY v.embedding <=> %s::vector LIMIT {wanted:d}""",  # noqa: S608 - only parameters
            (self.vector, self.filters.namespace, self.filters.documents, *parameters, self.vector),
        )

    def _walked(self, wanted: int) -> list[NearRow]:
        """Return about the nearest chunks, by the graph's rounded vectors, in the order of the full ones."""
        joined, passing, parameters = self._narrowing()
        size = self.vector.dimensions
        return self._rows(
            f"""SELECT passage, key, 1 - (embedding <=> %s::vector) AS cosine FROM (
                  SELECT v.passage, v.key, v.embedding FROM {{}} AS v {joined}
                  WHERE v.namespace = %s AND v.documents = %s {passing}
                  ORDER BY v.embedding::halfvec({size:d}) <=> %s::vector({size:d})::halfvec({size:d}) LIMIT {wanted:d}
                ) AS walked ORDER BY cosine DESC""",  # noqa: S608 - only parameters
            (self.vector, self.filters.namespace, self.filters.documents, *parameters, self.vector),
        )

    def _rows(self, text: str, parameters: Sequence[object]) -> list[NearRow]:
        statement = sql.SQL(text).format(table(self.number))
        return cast("list[NearRow]", self.db.rows(statement, parameters))

    def _narrowing(self) -> tuple[str, str, Sequence[object]]:
        if not self.filters.is_narrow:
            return "", "", ()
        where = condition(self.filters)
        return "JOIN memories AS m ON m.key = v.key", f"AND {where.sql}", where.parameters


def _best(rows: Iterable[NearRow], limit: int) -> BestChunks:
    """Return the best memories of chunks, which come best first."""
    best: BestChunks = {}
    for passage, key, cosine in rows:
        if len(best) == limit:
            break
        best.setdefault(key, (clipped(cosine), passage))
    return best


def _matches(db: PgSession, number: int, best: BestChunks) -> list[Match]:
    """Return the matches; one names its chunk if the memory has several."""
    rows = db.rows(
        """SELECT w.key, p.first, p.last FROM unnest(%s::bigint[], %s::bigint[]) AS w(key, id) CROSS JOIN LATERAL (
             SELECT count(*) AS chunks, min(first) FILTER (WHERE id = w.id) AS first,
               min(last) FILTER (WHERE id = w.id) AS last
             FROM passages WHERE key = w.key AND (space IS NULL OR space = %s)) AS p
           WHERE p.chunks > 1""",
        (list(best), [passage for _, passage in best.values()], number),
    )
    spans = {key: (first, last) for key, first, last in cast("list[tuple[int, int, int]]", rows)}
    return [Match(key, score, spans.get(key)) for key, (score, _) in best.items()]
