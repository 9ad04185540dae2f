"""The change log: every write appends to it in its own transaction; the largest seq is the store's generation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import cast

import apsw

from memory_mcp.domain.models import Event
from memory_mcp.storage.sqlite.db.rows import from_micros, to_json

_EventRow = tuple[int, int, str, str, str, str]


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


def since(db: apsw.Connection, after: int, limit: int) -> list[Event]:
    """Return the first writes after this seq, in order."""
    rows = db.execute(
        "SELECT seq, at, namespace, kind, memory_ids, tags FROM changes WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [_to_event(row) for row in cast("Iterator[_EventRow]", rows)]


def _to_event(row: _EventRow) -> Event:
    seq, at, namespace, kind, ids, tags = row
    return Event(seq, from_micros(at), namespace, kind, tuple(json.loads(ids)), tuple(json.loads(tags)))
