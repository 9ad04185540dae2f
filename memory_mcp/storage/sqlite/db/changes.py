"""The change log: every write appends to it in its own transaction; the largest seq is the store's generation.

It is bounded: old rows are deleted behind a floor, which is recorded in the same transaction. The newest row always
stays, so that `max(seq)` is the generation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

import apsw

from memory_mcp.domain.models import Event, MissedChanges, Written
from memory_mcp.storage.rows import from_micros, to_event, to_json

PRUNED_AT_ONCE: Final = 1_000
"""Rows deleted in one transaction; writers wait for it, some milliseconds."""


def log_change(
    db: apsw.Connection, now: int, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()
) -> None:
    """Append to the change log."""
    db.execute(
        "INSERT INTO changes (at, namespace, kind, memory_ids, tags) VALUES (?, ?, ?, ?, ?)",
        (now, namespace, kind, to_json(list(ids)), to_json(sorted(set(tags)))),
    )


def generation(db: apsw.Connection) -> int:
    """Return the largest seq, 0 before the first write."""
    return cast("int", db.execute("SELECT coalesce(max(seq), 0) FROM changes").get)


def latest(db: apsw.Connection) -> tuple[apsw.SQLiteValue, ...] | None:
    """Return the last write, as no other store has it; None if there was none."""
    return db.execute("SELECT seq, at, namespace, kind, memory_ids FROM changes ORDER BY seq DESC LIMIT 1").fetchone()


def holds(db: apsw.Connection, change: tuple[apsw.SQLiteValue, ...]) -> bool:
    """Whether a store has this write."""
    sql = "SELECT count(*) FROM changes WHERE (seq, at, namespace, kind, memory_ids) = (?, ?, ?, ?, ?)"
    return bool(db.execute(sql, change).get)


def since(db: apsw.Connection, after: int, limit: int) -> list[Event] | MissedChanges:
    """Return the first writes after this seq, in order."""
    if after < _floor(db):
        return MissedChanges(generation(db))
    rows = db.execute(
        "SELECT seq, at, namespace, kind, memory_ids, tags FROM changes WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [to_event(row) for row in rows]


def written(db: apsw.Connection) -> Written | None:
    """Return the generation and the time of the first write; None if there was no write."""
    first = db.execute(
        "SELECT coalesce((SELECT began_at FROM change_floor), (SELECT at FROM changes ORDER BY seq LIMIT 1))"
    ).get
    return None if first is None else Written(generation(db), from_micros(cast("int", first)))


def prune(db: apsw.Connection, before: int, at_once: int = PRUNED_AT_ONCE) -> int:
    """Delete the oldest rows from before a moment, and raise the floor; return how many."""
    floor = db.execute(
        """SELECT max(seq) FROM (
             SELECT seq FROM changes WHERE seq <= (
               SELECT seq FROM changes WHERE at < ? AND seq < (SELECT max(seq) FROM changes) ORDER BY seq DESC LIMIT 1)
             ORDER BY seq LIMIT ?)""",
        (before, at_once),
    ).get
    if floor is None:
        return 0
    _raise_floor(db, cast("int", floor))
    db.execute("DELETE FROM changes WHERE seq <= ?", (floor,))
    return db.changes()


def _floor(db: apsw.Connection) -> int:
    """Return the largest pruned seq; 0 if none was pruned."""
    return cast("int", db.execute("SELECT coalesce(max(seq), 0) FROM change_floor").get)


def _raise_floor(db: apsw.Connection, floor: int) -> None:
    """Record the floor before the rows up to a seq are deleted."""
    key = db.execute(  # CROSS JOIN: only this order uses indexes throughout
        """SELECT coalesce(max(m.key), 0) FROM changes AS c CROSS JOIN json_each(c.memory_ids) AS logged
           CROSS JOIN memories AS m ON m.id = logged.value AND m.namespace = c.namespace WHERE c.seq <= ?""",
        (floor,),
    ).get
    db.execute(
        """INSERT INTO change_floor (one, seq, key, began_at)
           VALUES (1, ?, ?, (SELECT at FROM changes ORDER BY seq LIMIT 1))
           ON CONFLICT DO UPDATE SET seq = excluded.seq, key = max(key, excluded.key)""",
        (floor, key),
    )
