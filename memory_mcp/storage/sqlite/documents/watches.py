"""The watched folders; every function works inside the caller's transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Final, cast

import apsw

from memory_mcp.domain.documents import BY_CLIENT, Watch
from memory_mcp.domain.errors import NotFoundError
from memory_mcp.storage.rows import from_micros, to_json

_COLUMNS: Final = "id, path, namespace, tags, asked_by, created_at"


def add(db: apsw.Connection, path: str, namespace: str, tags: Sequence[str], asked_by: str, now: int) -> Watch:
    """Watch a folder; one that is watched already gets these tags, and the user's takes over a client's."""
    row = db.execute(
        f"""INSERT INTO watches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (namespace, path) DO UPDATE SET tags = excluded.tags,
              asked_by = iif(substr(asked_by, 1, {len(BY_CLIENT)}) = '{BY_CLIENT}', excluded.asked_by, asked_by)
            RETURNING {_COLUMNS}""",  # noqa: S608 - a constant
        (uuid.uuid4().hex, path, namespace, to_json(list(tags)), asked_by, now),
    ).fetchone()
    return _to_watch(row)


def watches(db: apsw.Connection, namespace: str | None) -> list[Watch]:
    """Return the watched folders, oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM watches WHERE ?1 IS NULL OR namespace = ?1 ORDER BY key",  # noqa: S608 - a constant
        (namespace,),
    )
    return [_to_watch(row) for row in rows]


def remove(db: apsw.Connection, watch_id: str, namespace: str | None) -> Watch:
    """Watch a folder no longer.

    Raises:
        NotFoundError: there is no such watch.
    """
    row = db.execute(
        f"DELETE FROM watches WHERE id = ?1 AND (?2 IS NULL OR namespace = ?2) RETURNING {_COLUMNS}",  # noqa: S608 - a constant
        (watch_id, namespace),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"id: no watch {watch_id!r} is kept")
    return _to_watch(row)


def _to_watch(row: apsw.SQLiteValues | None) -> Watch:
    watch_id, path, namespace, tags, asked_by, created_at = cast("tuple[str, str, str, str, str, int]", row)
    return Watch(watch_id, path, namespace, tuple(json.loads(tags)), asked_by, from_micros(created_at))
