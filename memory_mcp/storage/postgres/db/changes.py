"""The change log: every write appends to it in its own transaction; the largest seq is the store's generation.

Numbers are taken at the end of a write from one row, which stays locked until the commit: so the order of the numbers
is the order of the commits, and a reader never meets a smaller one later. It is bounded: old rows are deleted behind a
floor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from memory_mcp.domain.models import Event, MissedChanges, Written
from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.rows import from_micros, to_event, to_json

CHANNEL: Final = "memory_mcp"
"""Of the notifications that something was written."""
PRUNED_AT_ONCE: Final = 1_000
"""Rows deleted in one transaction; other writers wait for it."""


def log_change(db: PgSession, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
    """Append to the change log when the transaction ends."""
    db.logged.append((namespace, kind, list(ids), sorted(set(tags))))


def finish(db: PgSession) -> None:
    """Queue what was noted during a transaction, as its last act: from then on other writers wait for its commit."""
    if not (db.logged or db.counted or db.last):
        return
    db.execute("UPDATE change_log SET seq = seq + %s, began_at = coalesce(began_at, %s)", (len(db.logged), db.now))
    for work in db.last:
        work()
    _count(db)
    if db.logged:
        db.reach(*{namespace for namespace, *_ in db.logged})
        db.execute(_LOG, [len(db.logged), db.now, *map(list, zip(*_entries(db), strict=True))])
        db.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


_LOG: Final = """
  INSERT INTO changes (namespace, kind, memory_ids, tags, seq, at)
  SELECT n.namespace, n.kind, n.ids, n.tags, l.seq - %s + n.place, %s
  FROM change_log AS l, unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS n (namespace, kind, ids, tags, place)
"""


def _entries(db: PgSession) -> list[tuple[str, str, str, str]]:
    return [(namespace, kind, to_json(ids), to_json(tags)) for namespace, kind, ids, tags in db.logged]


def is_running(db: PgSession, written: PgSession) -> bool:
    """Whether the server still works on a write whose caller lost it: behind a pooler it goes on."""
    held = db.value(
        """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND pid = %s
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        (locks.MIGRATIONS, written.begun.process),
    )
    return bool(held) and db.begun.process != written.begun.process


def is_kept(db: PgSession, written: PgSession) -> bool:
    """Whether a write that has ended was committed, when its commit was not answered.

    Its first entry tells. The number of a transaction would not: a server that crashed may give it once more.
    """
    if not written.logged:
        return False  # nothing that another run would repeat
    [(namespace, kind, ids, _), *_] = written.logged
    db.reach(namespace)
    db.execute("SELECT FROM change_log FOR UPDATE")
    found = db.row(
        "SELECT FROM changes WHERE at = %s AND namespace = %s AND kind = %s AND memory_ids = %s LIMIT 1",
        (written.now, namespace, kind, to_json(ids)),
    )
    return found is not None


def _count(db: PgSession) -> None:
    counted = sorted((*partition, more) for partition, more in db.counted.items() if more)
    if counted:
        db.run_many(
            """INSERT INTO partitions AS p (namespace, documents, memories) VALUES (%s, %s, %s)
               ON CONFLICT (namespace, documents) DO UPDATE SET memories = p.memories + excluded.memories""",
            counted,
        )


def since(db: PgSession, after: int, limit: int) -> list[Event] | MissedChanges:
    """Return the first writes after this seq, in order."""
    db.reach_all()
    floor, newest = cast("tuple[int, int]", db.row("SELECT floor, seq FROM change_log"))
    if after < floor:
        return MissedChanges(newest)
    rows = db.rows(
        "SELECT seq, at, namespace, kind, memory_ids, tags FROM changes WHERE seq > %s ORDER BY seq LIMIT %s",
        (after, limit),
    )
    return [to_event(row) for row in rows]


def written(db: PgSession) -> Written | None:
    """Return the generation and the time of the first write; None if there was no write."""
    seq, first = cast("tuple[int, int | None]", db.row("SELECT seq, began_at FROM change_log"))
    return None if first is None else Written(seq, from_micros(first))


def prune(db: PgSession, before: int, at_once: int = PRUNED_AT_ONCE) -> int:
    """Delete the oldest rows from before a moment, and raise the floor; return how many. The newest row stays."""
    db.reach_all()
    floor = db.value(
        """SELECT max(seq) FROM (
             SELECT seq FROM changes WHERE seq <= (
               SELECT seq FROM changes WHERE at < %s AND seq < (SELECT seq FROM change_log) ORDER BY seq DESC LIMIT 1)
             ORDER BY seq LIMIT %s) AS oldest""",
        (before, at_once),
    )
    if floor is None:
        return 0
    db.execute("UPDATE change_log SET floor = %s", (floor,))
    return db.changed("DELETE FROM changes WHERE seq <= %s", (floor,))
