"""Counts and places of many memories, for charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, cast

import apsw

from memory_mcp.domain.models import Filters
from memory_mcp.storage.labels import Labels, best_tags
from memory_mcp.storage.rows import from_micros, to_json, to_micros
from memory_mcp.storage.sqlite.db.conditions import condition
from memory_mcp.storage.where import WhereClause


def extent(db: apsw.Connection, filters: Filters) -> tuple[datetime, datetime] | None:
    """Return when the first and the last memory were created; None if there are none."""
    where = condition(filters)
    first, last = (
        db.execute(
            f"SELECT m.created_at FROM memories AS m WHERE {where.sql} ORDER BY m.created_at {order} LIMIT 1",  # noqa: S608 - only parameters
            where.parameters,
        ).get
        for order in ("ASC", "DESC")  # along the index, up to the first one that matches
    )
    return None if first is None else (from_micros(cast("int", first)), from_micros(cast("int", last)))


def density(db: apsw.Connection, filters: Filters, edges: Sequence[datetime]) -> list[int]:
    """Count the memories between each edge and the next."""
    where = condition(filters)
    rows = db.execute(
        f"""SELECT (SELECT count(*) FROM memories AS m
                    WHERE {where.sql} AND m.created_at >= e.since AND m.created_at < e.until)
            FROM (SELECT key, value AS since, lead(value) OVER (ORDER BY key) AS until
                  FROM json_each(?{len(where.parameters) + 1})) AS e
            WHERE e.until IS NOT NULL ORDER BY e.key""",  # noqa: S608 - only parameters
        (*where.parameters, to_json([to_micros(edge) for edge in edges])),
    )
    return [count for (count,) in cast("Iterator[tuple[int]]", rows)]


def labels(db: apsw.Connection, filters: Filters, by: Literal["type", "tag"]) -> Labels:
    """Return (key, label) of each memory, by key."""
    where = condition(filters)
    if by == "tag":
        return _tag_labels(db, where)
    rows = db.execute(f"SELECT m.key, m.type FROM memories AS m WHERE {where.sql} ORDER BY m.key", where.parameters)  # noqa: S608 - only parameters
    return cast("list[tuple[int, str]]", rows.fetchall())


def _tag_labels(db: apsw.Connection, where: WhereClause[apsw.SQLiteValue]) -> Labels:
    tagged = f"FROM memories AS m JOIN tags AS t USING (key) WHERE {where.sql}"
    used = db.execute(
        f"SELECT t.tag, t.folded, min(m.key) {tagged} GROUP BY t.folded ORDER BY count(*) DESC, t.folded",
        where.parameters,
    ).fetchall()
    keys = db.execute(f"SELECT m.key FROM memories AS m WHERE {where.sql} ORDER BY m.key", where.parameters)  # noqa: S608 - only parameters
    return best_tags(
        [(tag, folded) for tag, folded, _ in cast("list[tuple[str, str, int]]", used)],
        (key for (key,) in cast("Iterator[tuple[int]]", keys)),
        cast("Iterator[tuple[int, str]]", db.execute(f"SELECT m.key, t.folded {tagged}", where.parameters)),
    )


def embedded_keys(db: apsw.Connection, after: int, limit: int) -> list[int]:
    """Return the first live memories after this key that have a vector."""
    rows = db.execute(
        """SELECT m.key FROM memories AS m WHERE m.deleted_at IS NULL AND m.key > ?
           AND EXISTS (SELECT 1 FROM passages AS p WHERE p.key = m.key AND p.state = 'embedded'
                       AND p.space = (SELECT number FROM spaces WHERE active = 1))
           ORDER BY m.key LIMIT ?""",
        (after, limit),
    )
    return [key for (key,) in cast("Iterator[tuple[int]]", rows)]
