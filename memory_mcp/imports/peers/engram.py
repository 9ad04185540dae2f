"""engram (Gentleman-Programming): observations and saved prompts, of `engram.db` or of the JSON of its export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import LIVE, PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, is_database, opened, rows, untaken
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
SUMMARIES: Final = "summaries"
"""What `--also` asks for."""


@dataclass(frozen=True, slots=True)
class EngramTable:
    """A table."""

    name: str
    exported: str
    """Its name in the export."""
    columns: tuple[str, ...]
    prefix: str
    """Of the ids of its rows: they are numbers."""
    type: str = ""
    """Of rows that have none."""


SESSIONS: Final = EngramTable(
    "sessions",
    "sessions",
    ("id", "project", "started_at", "ended_at", "summary"),
    "session",
    "session_summary",
)
TABLES: Final = (
    EngramTable("observations", "observations", OBSERVED, "obs"),
    EngramTable(
        "user_prompts", "prompts", ("id", "session_id", "content", "project", "created_at"), "prompt", "prompt"
    ),
    SESSIONS,
)
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
    tables = TABLES if SUMMARIES in source.extras else TABLES[:-1]
    yield from (_of_database if is_database(path) else _of_export)(path, tables, source.written_at(path))
    yield NAMESPACES
    if SUMMARIES not in source.extras:
        yield NO_SUMMARIES


def _of_database(path: Path, tables: Sequence[EngramTable], file_time: datetime) -> Iterator[PeerItem]:
    with opened(path) as db:
        if not {"title", "content", "session_id"} <= columns_of(db, "observations"):
            raise UnreadableError(NOT_IT.format(name=path.name))
        for table in tables:
            for row, is_utf8 in rows(db, table.name, table.columns):
                yield from _items(table, row, file_time, is_utf8=is_utf8)
            yield from untaken(db, table.name, table.columns)


def _of_export(path: Path, tables: Sequence[EngramTable], file_time: datetime) -> Iterator[PeerItem]:
    held = json_file(path)
    if not isinstance(held, Mapping) or not isinstance(held.get("observations"), list):
        raise UnreadableError(NOT_IT.format(name=path.name))
    for table in tables:
        for row in objects(held.get(table.exported)):
            yield from _items(table, row, file_time, is_utf8=True)


def _items(table: EngramTable, row: PeerRow, file_time: datetime, *, is_utf8: bool) -> Iterator[PeerItem]:
    if table is not SESSIONS:
        yield from _record(table, row, file_time, is_utf8=is_utf8)
    elif row.get("summary"):
        at = row.get("ended_at") or row.get("started_at")
        summed = {**row, "session_id": row.get("id"), "content": row["summary"], "created_at": at}
        yield from _record(table, summed, file_time, is_utf8=is_utf8)


def _record(table: EngramTable, row: PeerRow, file_time: datetime, *, is_utf8: bool) -> Iterator[PeerItem]:
    source_id, content = f"{table.prefix}-{row.get('id')}", told(row.get("content"))
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
        type=told(row.get("type")) or table.type,
        metadata=joined({}, columns),
        conversation_id=told(row.get("session_id")) or None,
        namespace=told(row.get("project")),
        state="deleted" if row.get("deleted_at") else LIVE,
        id=own_id(
            "engram", source_id, row.get("started_at") or row.get("created_at")
        ),  # every database has a first row
        is_dated=created is not None,
    )
