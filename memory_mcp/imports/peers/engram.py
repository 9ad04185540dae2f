"""engram (Gentleman-Programming): observations and saved prompts, of `engram.db` or of the JSON of its export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import LIVE, PeerItem, PeerRecord, Remark, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, is_database, opened, rows
from memory_mcp.imports.peers.values import joined, moment, own_id, remarks, told, written_at

OBSERVED: Final = (
    "id",
    "session_id",
    "type",
    "title",
    "content",
    "tool_name",
    "project",
    "scope",
    "topic_key",
    "revision_count",
    "created_at",
    "updated_at",
    "deleted_at",
)
PROMPTED: Final = ("id", "session_id", "content", "project", "created_at")
CUT_MARK: Final = "... [truncated]"
PROMPT: Final = "prompt"
NOT_IT: Final = "{name} has no observations of engram; name its engram.db, or the JSON of `engram export`"
NAMESPACES: Final = Remark("guessed", "each project's memories go into the namespace of that name")
NOT_TAKEN: Final = Remark("lost", "the peer's summaries of sessions and counts of duplicates are not taken")
CUT: Final = "the peer had cut its text at 2,000 bytes"
OVERWRITTEN: Final = "the peer keeps no text that was overwritten"


def read(path: Path) -> Iterator[PeerItem]:
    """Yield the observations, those that were deleted too, and the prompts.

    Raises:
        UnreadableError: it is neither a database nor an export of engram.
    """
    at = written_at(path)
    for kind, row, is_utf8 in (_of_database if is_database(path) else _of_export)(path):
        yield from _items(kind, row, at, is_utf8=is_utf8)
    yield NAMESPACES
    yield NOT_TAKEN


def _of_database(path: Path) -> Iterator[tuple[str, PeerRow, bool]]:
    with opened(path) as db:
        if not {"title", "content", "session_id"} <= columns_of(db, "observations"):
            raise UnreadableError(NOT_IT.format(name=path.name))
        for kind, table, columns in (("obs", "observations", OBSERVED), (PROMPT, "user_prompts", PROMPTED)):
            for row, is_utf8 in rows(db, table, columns):
                yield kind, row, is_utf8


def _of_export(path: Path) -> Iterator[tuple[str, PeerRow, bool]]:
    try:
        held = json.loads(path.read_text("utf-8-sig", "replace"))
        found = {"obs": held["observations"], PROMPT: held.get("prompts") or []}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableError(NOT_IT.format(name=path.name)) from error
    for kind, listed in found.items():
        yield from ((kind, row, True) for row in listed if isinstance(row, Mapping))


def _items(kind: str, row: PeerRow, file_time: datetime, *, is_utf8: bool) -> Iterator[PeerItem]:
    source_id, content = f"{kind}-{row.get('id')}", told(row.get("content"))
    created = moment(row.get("created_at"))
    yield from remarks(source_id, is_utf8=is_utf8, has_time=created is not None)
    columns = {name: row.get(name) for name in ("title", "tool_name", "topic_key", "scope")}
    revisions = row.get("revision_count")
    if isinstance(revisions, int) and revisions > 1:
        columns["revisions"] = revisions
        yield Remark("lost", OVERWRITTEN, source_id)
    if content.endswith(CUT_MARK):
        yield Remark("lost", CUT, source_id)
    at = created or file_time
    yield PeerRecord(
        source_id,
        content,
        at,
        max(at, moment(row.get("updated_at")) or at),
        (),
        told(row.get("type")) or (PROMPT if kind == PROMPT else ""),
        joined({}, columns),
        told(row.get("session_id")) or None,
        told(row.get("project")),
        state="deleted" if row.get("deleted_at") else LIVE,
        id=own_id("engram", source_id, row.get("created_at")),  # numbers alone are those of every database
    )
