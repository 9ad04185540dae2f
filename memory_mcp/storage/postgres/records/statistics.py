"""Statistics of a namespace: counts, tags, and completions by prefix."""

from __future__ import annotations

from typing import Final, cast

from memory_mcp.domain.models import Statistics
from memory_mcp.domain.names import folded
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import from_micros

_LAST: Final = "\U0010ffff"
"""The last character in Unicode's order."""
_SPELLED: Final = "(array_agg(t.tag ORDER BY t.key))[1]"
"""The first memory's spelling of a tag."""


def of_namespace(db: PgSession, namespace: str, tags: int) -> Statistics:
    """Count what a namespace holds."""
    db.reach(namespace)
    memories, conversations, oldest, newest = cast(
        "tuple[int, int, int | None, int | None]",
        db.row(
            """SELECT count(*), count(DISTINCT conversation_id) FILTER (WHERE key NOT IN (SELECT key FROM sections)),
                 min(created_at), max(created_at)
               FROM memories WHERE namespace = %s AND deleted_at IS NULL""",
            (namespace,),
        ),
    )
    used = db.rows(
        f"""SELECT {_SPELLED}, count(*) FROM tags AS t JOIN memories AS m USING (key)
            WHERE t.namespace = %s AND m.deleted_at IS NULL GROUP BY t.folded
            ORDER BY count(*) DESC, t.folded LIMIT %s""",  # noqa: S608 - a constant
        (namespace, tags),
    )
    return Statistics(
        memories,
        conversations,
        dict(cast("list[tuple[str, int]]", used)),
        None if oldest is None else from_micros(oldest),
        None if newest is None else from_micros(newest),
    )


def totals(db: PgSession) -> tuple[int, int, int]:
    """Count the live memories, the namespaces that have any, and the bytes of all tables."""
    db.reach_all()
    row = db.row(
        """SELECT coalesce(sum(memories), 0)::bigint, count(DISTINCT namespace) FILTER (WHERE memories > 0),
             (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
              WHERE relnamespace = 'memory_mcp'::regnamespace AND relkind = 'r')
           FROM partitions"""
    )
    return cast("tuple[int, int, int]", row)


def server_version(db: PgSession) -> int:
    """Return the server's major version."""
    return cast("int", db.value("SELECT current_setting('server_version_num')::int / 10000"))


def tags_like(db: PgSession, prefix: str, namespace: str, limit: int) -> list[str]:
    """Return the first tags of live memories of the namespace with this prefix, sorted, ignoring case."""
    db.reach(namespace)
    begins = folded(prefix)
    rows = db.rows(
        f"""SELECT {_SPELLED} FROM tags AS t JOIN memories AS m USING (key)
            WHERE t.namespace = %s AND t.folded >= %s AND t.folded < %s AND m.deleted_at IS NULL
            GROUP BY t.folded ORDER BY t.folded LIMIT %s""",  # noqa: S608 - a constant
        (namespace, begins, begins + _LAST, limit),
    )
    return [cast("str", tag) for (tag,) in rows]


def namespaces_like(db: PgSession, prefix: str, limit: int) -> list[str]:
    """Return the first namespaces with live memories and this prefix, sorted."""
    db.reach_all()
    rows = db.rows(
        """SELECT DISTINCT namespace FROM partitions WHERE namespace >= %s AND namespace < %s AND memories > 0
           ORDER BY namespace LIMIT %s""",
        (prefix, prefix + _LAST, limit),
    )
    return [cast("str", namespace) for (namespace,) in rows]
