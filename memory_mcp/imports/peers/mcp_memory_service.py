"""mcp-memory-service 8 to 12: the table `memories` of `sqlite_vec.db`, whatever columns this version has."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, PeerVersion, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import columns_of, opened, text

WANTED: Final = ("content_hash", "content", "tags", "memory_type", "metadata")
"""Texts, which are read as blobs: one that is not UTF-8 costs itself."""
OPTIONAL: Final = (
    "created_at",
    "updated_at",
    "created_at_iso",
    "updated_at_iso",
    "deleted_at",
    "store",
    "superseded_by",
)
NOISE: Final = frozenset(
    {
        "access_count",
        "access_queries",
        "computed_quality",
        "evolution_reason",
        "last_accessed_at",
        "quality_components",
        "quality_provider",
        "quality_score",
        "rating_history",
        "superseded_by",
        "user_feedback",
        "user_rating",
        "user_rating_timestamp",
    }
)
"""The peer's bookkeeping in a memory's metadata; `access_queries` are the questions that were asked."""
NO_TAGS: Final = frozenset({"untagged", "conflict:unresolved"})
"""Set by the peer."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A row of the table."""

    source_id: str
    content: str
    tags: tuple[str, ...]
    type: str
    metadata: Mapping[str, object]
    created_at: datetime
    updated_at: datetime
    is_deleted: bool
    store: str
    successor: str
    remarks: tuple[Remark, ...] = field(default=())


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories, each with the versions that it superseded.

    Raises:
        UnreadableError: it is no database of mcp-memory-service.
    """
    rows = {row.source_id: row for row in _rows(source.file())}
    earlier = _by_head(rows)
    for row in rows.values():
        yield from row.remarks
        if not row.successor:
            yield _record(row, earlier.get(row.source_id, []))
        elif row.successor not in rows:
            yield Remark("guessed", "its newer version is gone; taken as deleted", row.source_id)
            yield _record(row, [], is_deleted=True)
    yield Remark("lost", "access counts, quality scores, ratings and past queries of the peer are not taken")


def _by_head(rows: Mapping[str, ServiceRow]) -> dict[str, list[ServiceRow]]:
    """Return the superseded rows by the id of what replaced them in the end, oldest first."""
    found: dict[str, list[ServiceRow]] = {}
    for row in rows.values():
        head, seen = row, {row.source_id}
        while head.successor in rows and head.successor not in seen:
            head = rows[head.successor]
            seen.add(head.source_id)
        if head is not row:
            found.setdefault(head.source_id, []).append(row)
    return {head: sorted(versions, key=lambda row: row.created_at) for head, versions in found.items()}


def _record(row: ServiceRow, earlier: list[ServiceRow], *, is_deleted: bool = False) -> PeerRecord:
    metadata = dict(row.metadata)
    conversation = metadata.pop("conversation_id", None)
    return PeerRecord(
        row.source_id,
        row.content,
        row.created_at,
        row.updated_at,
        row.tags,
        row.type,
        metadata,
        str(conversation) if conversation else None,
        "" if row.store == "default" else row.store,
        tuple(PeerVersion(was.content, was.tags, was.type, was.metadata, was.updated_at) for was in earlier),
        "deleted" if row.is_deleted or is_deleted else "live",
    )


def _rows(path: Path) -> Iterator[ServiceRow]:
    with opened(path) as db:
        there = columns_of(db, "memories")
        if not {"content_hash", "content"} <= there:
            raise UnreadableError(
                f"{path.name} has no memories of mcp-memory-service; name its sqlite_vec.db, not its export"
            )
        named = [f"CAST({name} AS BLOB)" if name in there else "NULL" for name in WANTED]
        named += [name if name in there else "NULL" for name in OPTIONAL]
        fallback = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        for values in db.execute(f"SELECT {', '.join(named)} FROM memories ORDER BY rowid"):  # noqa: S608 - constants
            yield _row(dict(zip((*WANTED, *OPTIONAL), values, strict=True)), fallback)


def _row(values: Mapping[str, object], fallback: datetime) -> ServiceRow:
    texts = {name: text(values[name]) for name in WANTED}
    source_id = texts["content_hash"][0]
    remarks = [Remark("lost", "bytes that are not UTF-8 were replaced", source_id)] * (
        not all(is_utf8 for _, is_utf8 in texts.values())
    )
    created = _time(values["created_at"], values["created_at_iso"])
    if created is None:
        remarks.append(Remark("guessed", "it has no time; the file's is taken", source_id))
    metadata, is_json = _metadata(texts["metadata"][0])
    if not is_json:
        remarks.append(Remark("lost", "its metadata is no JSON object", source_id))
    created = created or fallback
    return ServiceRow(
        source_id,
        texts["content"][0],
        tuple(tag for each in texts["tags"][0].split(",") if (tag := each.strip()) and tag not in NO_TAGS),
        texts["memory_type"][0],
        metadata,
        created,
        max(created, _time(values["updated_at"], values["updated_at_iso"]) or created),
        values["deleted_at"] is not None,
        str(values["store"] or "default"),
        str(values["superseded_by"] or ""),
        tuple(remarks),
    )


def _metadata(written: str) -> tuple[dict[str, object], bool]:
    """Return the user's own members, and whether it is a JSON object."""
    if not written:
        return {}, True
    try:
        held = json.loads(written)
    except (ValueError, RecursionError):
        return {}, False
    if not isinstance(held, dict):
        return {}, False
    return {name: value for name, value in held.items() if name not in NOISE}, True


def _time(seconds: object, written: object) -> datetime | None:
    """Return a time; the number counts before the text, which old versions wrote in local time."""
    try:
        if isinstance(seconds, int | float) and math.isfinite(seconds):
            return datetime.fromtimestamp(seconds, UTC)
        return datetime.fromisoformat(str(written)).astimezone(UTC) if written else None
    except (ValueError, OverflowError, OSError):
        return None
