"""Statistics of a namespace: counts, tags, and completions by prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Statistics
from memory_mcp.domain.names import folded
from memory_mcp.storage.rows import from_micros
from memory_mcp.storage.sqlite.db.partitions import NAMESPACES

_LAST = "\U0010ffff"
"""The last character in Unicode's order."""
_SPELLED: Final = "tag, min(key)"
"""The first memory's spelling of a tag: SQLite takes a bare column from the row with the minimum."""


def of_namespace(db: apsw.Connection, namespace: str, tags: int) -> Statistics:
    """Count what a namespace holds."""
    row = db.execute(
        """SELECT count(*), count(DISTINCT iif(key IN (SELECT key FROM sections), NULL, conversation_id)),
             min(created_at), max(created_at)
           FROM memories WHERE namespace = ? AND deleted_at IS NULL""",
        (namespace,),
    ).fetchone()
    memories, conversations, oldest, newest = cast("tuple[int, int, int | None, int | None]", row)
    used = db.execute(
        f"""SELECT tag, used FROM (SELECT {_SPELLED}, count(*) AS used, folded FROM tags JOIN memories AS m USING (key)
              WHERE m.namespace = ? AND m.deleted_at IS NULL GROUP BY folded)
            ORDER BY used DESC, folded LIMIT ?""",  # noqa: S608 - a constant
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
    """Count the live memories, and the namespaces that have any."""
    memories = cast("int", db.execute("SELECT coalesce(sum(memories), 0) FROM partitions").get)
    return memories, cast("int", db.execute(f"SELECT count(*) FROM ({NAMESPACES} WHERE memories > 0)").get)  # noqa: S608 - a constant


def tags_like(db: apsw.Connection, prefix: str, namespace: str, limit: int) -> list[str]:
    """Return the first tags of live memories of the namespace with this prefix, sorted, ignoring case."""
    begins = folded(prefix)
    rows = db.execute(
        f"""SELECT {_SPELLED} FROM tags JOIN memories AS m USING (key)
            WHERE folded >= ? AND folded < ? AND m.namespace = ? AND m.deleted_at IS NULL
            GROUP BY folded ORDER BY folded LIMIT ?""",  # noqa: S608 - a constant
        (begins, begins + _LAST, namespace, limit),
    )
    return [tag for tag, _ in cast("Iterator[tuple[str, int]]", rows)]


def namespaces_like(db: apsw.Connection, prefix: str, limit: int) -> list[str]:
    """Return the first namespaces with live memories and this prefix, sorted."""
    rows = db.execute(
        f"{NAMESPACES} WHERE partitions.namespace >= ? AND partitions.namespace < ? AND memories > 0"
        " ORDER BY 1 LIMIT ?",
        (prefix, prefix + _LAST, limit),
    )
    return [namespace for (namespace,) in cast("Iterator[tuple[str]]", rows)]
