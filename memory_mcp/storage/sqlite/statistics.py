"""What a namespace holds: counts, tags, names that begin with something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import apsw

from memory_mcp.domain.models import Statistics
from memory_mcp.storage.sqlite.rows import from_micros

_LAST = "\U0010ffff"
"""No character comes after it."""


def of_namespace(db: apsw.Connection, namespace: str, tags: int) -> Statistics:
    """Count what a namespace holds."""
    row = db.execute(
        """SELECT count(*), count(DISTINCT conversation_id), min(created_at), max(created_at)
           FROM memories WHERE namespace = ? AND deleted_at IS NULL""",
        (namespace,),
    ).fetchone()
    memories, conversations, oldest, newest = cast("tuple[int, int, int | None, int | None]", row)
    used = db.execute(
        """SELECT tag, count(*) AS used FROM tags JOIN memories AS m USING (key)
           WHERE m.namespace = ? AND m.deleted_at IS NULL GROUP BY tag ORDER BY used DESC, tag LIMIT ?""",
        (namespace, tags),
    )
    return Statistics(
        memories,
        conversations,
        dict(cast("Iterator[tuple[str, int]]", used)),
        None if oldest is None else from_micros(oldest),
        None if newest is None else from_micros(newest),
    )


def totals(db: apsw.Connection) -> tuple[int, int]:
    """Count the live memories and the namespaces that hold some."""
    row = db.execute("SELECT coalesce(sum(memories), 0), count(*) FROM namespaces WHERE memories > 0").fetchone()
    return cast("tuple[int, int]", row)


def tags_like(db: apsw.Connection, prefix: str, namespace: str, limit: int) -> list[str]:
    """Return the first tags of live memories of the namespace that begin so, in order."""
    rows = db.execute(
        """SELECT DISTINCT tag FROM tags JOIN memories AS m USING (key)
           WHERE tag >= ? AND tag < ? AND m.namespace = ? AND m.deleted_at IS NULL ORDER BY tag LIMIT ?""",
        (prefix, prefix + _LAST, namespace, limit),
    )
    return [tag for (tag,) in cast("Iterator[tuple[str]]", rows)]


def namespaces_like(db: apsw.Connection, prefix: str, limit: int) -> list[str]:
    """Return the first namespaces with live memories that begin so, in order."""
    rows = db.execute(
        """SELECT namespace FROM namespaces
           WHERE namespace >= ? AND namespace < ? AND memories > 0 ORDER BY namespace LIMIT ?""",
        (prefix, prefix + _LAST, limit),
    )
    return [namespace for (namespace,) in cast("Iterator[tuple[str]]", rows)]
