"""The queue: chunks that wait for a vector, those that were refused one, and which memories have one."""

from __future__ import annotations

from typing import Final, cast

from memory_mcp.domain.models import PendingChunk, QueueCounts
from memory_mcp.storage.postgres.db.session import PgSession

_UNDONE: Final = """
  FROM passages AS p WHERE p.state <> 'embedded' AND (%s::text IS NULL OR p.namespace = %s::text)
    AND (p.space IS NULL OR p.space = (SELECT number FROM spaces WHERE active))
"""
"""The chunks of the active space that have no vector, of one namespace or all."""


def counts(db: PgSession, namespace: str | None) -> QueueCounts:
    """Count the memories with pending chunks, and those with failed ones."""
    if namespace is None:
        db.reach_all()
    else:
        db.reach(namespace)
    rows = db.rows(f"SELECT p.state, count(DISTINCT p.key) {_UNDONE} GROUP BY p.state", (namespace, namespace))
    counted = dict(cast("list[tuple[str, int]]", rows))
    pending, failed = counted.get("pending", 0), counted.get("failed", 0)
    if not failed:
        return QueueCounts(pending, 0)
    latest = db.row(
        f"""SELECT p.error, (SELECT id FROM memories AS m WHERE m.key = p.key) {_UNDONE} AND p.state = 'failed'
            ORDER BY p.id DESC LIMIT 1""",  # noqa: S608 - a constant
        (namespace, namespace),
    )
    error, memory_id = cast("tuple[str, str]", latest)
    return QueueCounts(pending, failed, error, memory_id)


def pending(db: PgSession, limit: int) -> list[PendingChunk]:
    """Return the oldest queued chunks with their contents."""
    rows = db.rows(
        """SELECT p.id, p.first, p.last, m.content FROM (
             SELECT id, first, last, key FROM passages WHERE state <> 'embedded' AND state = 'pending'
             ORDER BY id LIMIT %s) AS p
           JOIN memories AS m USING (key) ORDER BY p.id""",
        (limit,),
    )
    return [PendingChunk(*row) for row in cast("list[tuple[int, int, int, str]]", rows)]


def embedded_keys(db: PgSession, number: int, after: int, limit: int) -> list[int]:
    """Return the first live memories after this key that have a vector in the space of this number."""
    rows = db.rows(
        """SELECT m.key FROM memories AS m WHERE m.deleted_at IS NULL AND m.key > %s
           AND EXISTS (SELECT FROM passages AS p WHERE p.key = m.key AND p.state = 'embedded' AND p.space = %s)
           ORDER BY m.key LIMIT %s""",
        (after, number, limit),
    )
    return [key for (key,) in cast("list[tuple[int]]", rows)]
