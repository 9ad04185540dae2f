"""Counts and places of many memories, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, cast

from memory_mcp.domain.models import Filters
from memory_mcp.storage.labels import Labels, best_tags
from memory_mcp.storage.postgres.db.conditions import condition
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import from_micros, to_micros
from memory_mcp.storage.where import WhereClause


def extent(db: PgSession, filters: Filters) -> tuple[datetime, datetime] | None:
    """Return when the first and the last memory were created; None if there are none."""
    db.reach(filters.namespace)
    where = condition(filters)
    row = db.row(f"SELECT min(m.created_at), max(m.created_at) FROM memories AS m WHERE {where.sql}", where.parameters)  # noqa: S608 - only parameters
    first, last = cast("tuple[int | None, int | None]", row)
    return None if first is None or last is None else (from_micros(first), from_micros(last))


def density(db: PgSession, filters: Filters, edges: Sequence[datetime]) -> list[int]:
    """Count the memories between each edge and the next."""
    db.reach(filters.namespace)
    where = condition(filters)
    rows = db.rows(
        f"""SELECT (SELECT count(*) FROM memories AS m
                    WHERE {where.sql} AND m.created_at >= e.since AND m.created_at < e.until)
            FROM (SELECT place, since, lead(since) OVER (ORDER BY place) AS until
                  FROM unnest(%s::bigint[]) WITH ORDINALITY AS given (since, place)) AS e
            WHERE e.until IS NOT NULL ORDER BY e.place""",  # noqa: S608 - only parameters
        (*where.parameters, [to_micros(edge) for edge in edges]),
    )
    return [cast("int", count) for (count,) in rows]


def labels(db: PgSession, filters: Filters, by: Literal["type", "tag"]) -> Labels:
    """Return (key, label) of each memory, by key."""
    db.reach(filters.namespace)
    where = condition(filters)
    if by == "tag":
        return _tag_labels(db, where)
    rows = db.rows(f"SELECT m.key, m.type FROM memories AS m WHERE {where.sql} ORDER BY m.key", where.parameters)  # noqa: S608 - only parameters
    return cast("Labels", rows)


def _tag_labels(db: PgSession, where: WhereClause[object]) -> Labels:
    tagged = f"FROM memories AS m JOIN tags AS t USING (key) WHERE {where.sql}"
    used = db.rows(
        f"""SELECT (array_agg(t.tag ORDER BY t.key))[1], t.folded {tagged}
            GROUP BY t.folded ORDER BY count(*) DESC, t.folded""",
        where.parameters,
    )
    keys = db.rows(f"SELECT m.key FROM memories AS m WHERE {where.sql} ORDER BY m.key", where.parameters)  # noqa: S608 - only parameters
    return best_tags(
        cast("list[tuple[str, str]]", used),
        (cast("int", key) for (key,) in keys),
        cast("list[tuple[int, str]]", db.rows(f"SELECT m.key, t.folded {tagged}", where.parameters)),
    )
