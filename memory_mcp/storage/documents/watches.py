"""The watched folders; every function works inside the caller's session."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Final, cast

from memory_mcp.domain.documents import BY_CLIENT, Watch
from memory_mcp.domain.errors import NotFoundError
from memory_mcp.storage.documents.session import DocumentSession, SqlValue
from memory_mcp.storage.rows import from_micros, to_json

_COLUMNS: Final = "id, path, namespace, tags, asked_by, created_at"


def add(db: DocumentSession, path: str, namespace: str, tags: Sequence[str], asked_by: str) -> Watch:
    """Watch a folder; one that is watched already gets these tags, and the user's takes over a client's."""
    [row] = db.rows(
        f"""INSERT INTO watches ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (namespace, path{db.machine}) DO UPDATE SET tags = excluded.tags,
              asked_by = CASE WHEN substr(watches.asked_by, 1, {len(BY_CLIENT)}) = '{BY_CLIENT}'
                              THEN excluded.asked_by ELSE watches.asked_by END
            RETURNING {_COLUMNS}""",  # noqa: S608 - a constant
        uuid.uuid4().hex,
        path,
        namespace,
        to_json(list(tags)),
        asked_by,
        db.now,
    )
    return _to_watch(row)


def watches(db: DocumentSession, namespace: str | None) -> list[Watch]:
    """Return the watched folders, oldest first."""
    rows = db.rows(
        f"""SELECT {_COLUMNS} FROM watches AS w
            WHERE (CAST(?1 AS TEXT) IS NULL OR namespace = ?1) AND {db.is_here("w")} ORDER BY key""",  # noqa: S608 - constants
        namespace,
    )
    return [_to_watch(row) for row in rows]


def remove(db: DocumentSession, watch_id: str, namespace: str | None) -> Watch:
    """Watch a folder no longer.

    Raises:
        NotFoundError: there is no such watch.
    """
    rows = db.rows(
        f"""DELETE FROM watches WHERE id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR namespace = ?2)
            RETURNING {_COLUMNS}""",  # noqa: S608 - a constant
        watch_id,
        namespace,
    )
    if not rows:
        raise NotFoundError(f"id: no watch {watch_id!r} is kept")
    return _to_watch(rows[0])


def _to_watch(row: tuple[SqlValue, ...]) -> Watch:
    watch_id, path, namespace, tags, asked_by, created_at = cast("tuple[str, str, str, str, str, int]", row)
    return Watch(watch_id, path, namespace, tuple(json.loads(tags)), asked_by, from_micros(created_at))
