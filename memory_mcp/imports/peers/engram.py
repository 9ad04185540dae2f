"""engram (Gentleman-Programming): observations and saved prompts, of `engram.db` or of the JSON of its export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import LIVE, PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, is_database, opened, rows
from memory_mcp.imports.peers.values import joined, json_file, moment, objects, own_id, remarks, told

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
SUMMED: Final = ("id", "project", "started_at", "ended_at", "summary")
SUMMARIES: Final = "summaries"
"""What `--also` asks for."""
TABLES: Final = (
    ("obs", "observations", "observations", OBSERVED),
    ("prompt", "user_prompts", "prompts", PROMPTED),
    ("session", "sessions", "sessions", SUMMED),
)
"""What a row is, its table, its name in the export, and the columns."""
TYPES: Final = {"obs": "", "prompt": "prompt", "session": "session_summary"}
"""Of rows that have none."""
CUT_MARK: Final = "... [truncated]"
NOT_IT: Final = "{name} has no observations of engram; name its engram.db, or the JSON of `engram export`"
NAMESPACES: Final = Remark("guessed", "each project's memories go into the namespace of that name")
NO_SUMMARIES: Final = Remark("lost", "the summaries of sessions are not taken; --also summaries takes them")
CUT: Final = "the peer had cut its text at 2,000 bytes"
OVERWRITTEN: Final = "the peer keeps no overwritten text"


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the observations, those that were deleted too, the prompts, and summaries of sessions where asked for.

    Raises:
        UnreadableError: it is neither a database nor an export of engram.
    """
    path = source.file()
    at = source.written_at(path)
    for kind, row, is_utf8 in (_of_database if is_database(path) else _of_export)(path):
        if kind != "session":
            yield from _items(kind, row, at, is_utf8=is_utf8)
        elif SUMMARIES in source.extras and row.get("summary"):
            yield from _items(kind, _summary(row), at, is_utf8=is_utf8)
    yield NAMESPACES
    if SUMMARIES not in source.extras:
        yield NO_SUMMARIES


def _of_database(path: Path) -> Iterator[tuple[str, PeerRow, bool]]:
    with opened(path) as db:
        if not {"title", "content", "session_id"} <= columns_of(db, "observations"):
            raise UnreadableError(NOT_IT.format(name=path.name))
        for kind, table, _, columns in TABLES:
            for row, is_utf8 in rows(db, table, columns):
                yield kind, row, is_utf8


def _of_export(path: Path) -> Iterator[tuple[str, PeerRow, bool]]:
    held = json_file(path)
    if not isinstance(held, Mapping) or not isinstance(held.get("observations"), list):
        raise UnreadableError(NOT_IT.format(name=path.name))
    for kind, _, name, _ in TABLES:
        yield from ((kind, row, True) for row in objects(held.get(name)))


def _summary(row: PeerRow) -> PeerRow:
    """Return a session as what it came to."""
    at = row.get("ended_at") or row.get("started_at")
    return {**row, "session_id": row.get("id"), "content": row["summary"], "created_at": at}


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
        type=told(row.get("type")) or TYPES[kind],
        metadata=joined({}, columns),
        conversation_id=told(row.get("session_id")) or None,
        namespace=told(row.get("project")),
        state="deleted" if row.get("deleted_at") else LIVE,
        id=own_id("engram", source_id, row.get("created_at")),  # numbers alone are those of every database
        is_dated=created is not None,
    )
