"""mcp-memory-service 8 to 12: the table `memories` of `sqlite_vec.db`, whatever columns this version has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import apsw

from memory_mcp.imports.model import PeerItem, PeerRecord, PeerVersion, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, is_database, opened, rows, untaken
from memory_mcp.imports.peers.values import moment, parsed, remarks, told

COLUMNS: Final = (
    "content_hash",
    "content",
    "tags",
    "memory_type",
    "metadata",
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
CONFLICT: Final = "conflict:unresolved"
NO_TAGS: Final = frozenset({"untagged", CONFLICT})
"""Set by the peer."""
GRAPH: Final = "memory_graph"
NO_GRAPH: Final = Remark("lost", "the links between memories in the peer's graph are not taken")
NO_CONFLICT: Final = f"its tag {CONFLICT}, with which the peer marks contradictions, is not taken"
NO_BOOKKEEPING: Final = Remark("lost", "access counts, quality scores, ratings and past queries are not taken")
NO_OBJECT: Final = "its metadata is no JSON object"
SUCCESSOR_GONE: Final = "its newer version is gone; taken as deleted"
CIRCLE: Final = "it and its newer versions replace each other in a circle; each is taken as it is"
NOT_IT: Final = "{name} is no intact SQLite database of mcp-memory-service; name its sqlite_vec.db, not its export"


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
    is_dated: bool
    remarks: tuple[Remark, ...]


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories, each with the versions that it superseded.

    Raises:
        UnreadableError: it is no database of mcp-memory-service.
    """
    path = source.file()
    at = source.written_at(path)  # before it is opened: what its log holds is written into it then
    if not is_database(path):
        raise UnreadableError(NOT_IT.format(name=path.name))
    with opened(path) as db:
        if not {"content_hash", "content"} <= columns_of(db, "memories"):
            raise UnreadableError(NOT_IT.format(name=path.name))
        found = {row.source_id: row for row in _rows(db, source, at)}
        yield from _losses(db)
    yield from _items(found)


def _losses(db: apsw.Connection) -> Iterator[Remark]:
    yield NO_BOOKKEEPING
    yield from untaken(db, "memories", ("id", *COLUMNS))
    if columns_of(db, GRAPH) and db.execute(f"SELECT EXISTS (SELECT 1 FROM {GRAPH})").get:  # noqa: S608 - a constant
        yield NO_GRAPH


def _items(found: Mapping[str, ServiceRow]) -> Iterator[PeerItem]:
    heads = _heads(found)
    earlier: dict[str, list[ServiceRow]] = {}
    for row in found.values():
        if heads[row.source_id] != row.source_id and not row.is_deleted:
            earlier.setdefault(heads[row.source_id], []).append(row)
    for row in found.values():
        yield from row.remarks
        head = heads[row.source_id]
        versions = sorted(earlier.get(row.source_id, []), key=lambda was: was.created_at)
        if not head:
            yield Remark("guessed", CIRCLE, row.source_id)
            yield _record(row, [])
        elif head == row.source_id and row.successor:
            yield Remark("guessed", SUCCESSOR_GONE, row.source_id)
            yield _record(row, versions, is_deleted=True)
        elif head == row.source_id or row.is_deleted:  # what was deleted is nobody's history
            yield _record(row, versions)


def _heads(found: Mapping[str, ServiceRow]) -> dict[str, str]:
    """Return the id of what replaced each row in the end; empty where rows replace each other in a circle."""
    heads: dict[str, str] = {}
    for start in found:
        path: dict[str, None] = {}
        at = start
        while at not in heads and at not in path:
            path[at] = None
            at = found[at].successor if found[at].successor in found else at
        head = heads.get(at, "" if found[at].successor in found else at)
        heads |= dict.fromkeys(path, head)
    return heads


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
        is_dated=row.is_dated,
    )


def _rows(db: apsw.Connection, source: Source, at: datetime) -> Iterator[ServiceRow]:
    for row, is_utf8 in rows(db, "memories", COLUMNS):
        yield _row(row, source, at, is_utf8=is_utf8)


def _row(row: PeerRow, source: Source, file_time: datetime, *, is_utf8: bool) -> ServiceRow:
    source_id = told(row["content_hash"])
    created = _time(row, "created_at", source)
    said = remarks(source_id, is_utf8=is_utf8, has_time=created is not None)
    metadata = parsed(row["metadata"]) or {}
    if not isinstance(metadata, dict):
        said.append(Remark("lost", NO_OBJECT, source_id))
        metadata = {}
    tags = [tag for each in told(row["tags"]).split(",") if (tag := each.strip())]
    if CONFLICT in tags:
        said.append(Remark("lost", NO_CONFLICT, source_id))
    at = created or file_time
    return ServiceRow(
        source_id,
        told(row["content"]),
        tuple(tag for tag in tags if tag not in NO_TAGS),
        told(row["memory_type"]),
        {name: value for name, value in metadata.items() if name not in NOISE},
        at,
        max(at, _time(row, "updated_at", source) or at),
        row["deleted_at"] is not None,
        told(row["store"]) or "default",
        told(row["superseded_by"]),
        created is not None,
        tuple(said),
    )


def _time(row: PeerRow, name: str, source: Source) -> datetime | None:
    """Return a time; the number counts before the text, which old versions wrote in local time."""
    return moment(row[name]) or moment(row[f"{name}_iso"], source.aware)
