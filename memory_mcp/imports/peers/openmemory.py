"""OpenMemory of mem0, given up in 2026: `openmemory.db`, or the zip of its export, which holds one user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import apsw

from memory_mcp.imports.model import LIVE, PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, is_database, opened, rows, untaken
from memory_mcp.imports.peers.values import joined, json_file, members, moment, objects, remarks, told

COLUMNS: Final = (
    "id",
    "user_id",
    "app_id",
    "content",
    "metadata",
    "state",
    "created_at",
    "updated_at",
    "archived_at",
    "deleted_at",
)
DELETED: Final = "deleted"
STATE_TAGS: Final = frozenset({"archived", "paused"})
QUARTER: Final = timedelta(minutes=15)
"""Zones differ by quarters of an hour."""
FARTHEST: Final = timedelta(hours=14)
"""A zone from UTC."""
NOT_TAKEN: Final = Remark("lost", "the peer keeps no overwritten text; its access log and rules are not taken")
NAMESPACES: Final = Remark("guessed", "each user's memories go into the namespace of that name")
NOT_IT: Final = "{name} has no memories of mem0's OpenMemory; name its openmemory.db, or the zip of its export"
OTHER_PRODUCT: Final = "{name} is of another OpenMemory, by CaviraOSS, which is not read; name the one of mem0"
SHIFTED: Final = "the export shifts times by the zone of the machine that made it; moved back by {how}"
UNKNOWN_SHIFT: Final = (
    "the export shifts times by the zone of the machine that made it; taken for UTC, which --source-tz changes"
)
ToUtc = Callable[[datetime], datetime]


@dataclass(frozen=True, slots=True)
class OpenMemoryNames:
    """What ids stand for; all ids are without hyphens."""

    users: Mapping[str, str]
    apps: Mapping[str, str]
    tags: Mapping[str, list[str]]
    """The categories of each memory."""


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories of all users.

    Raises:
        UnreadableError: it is neither a database nor an export of OpenMemory.
    """
    path = source.file()
    yield from (_of_database if is_database(path) else _of_export)(source, path)
    yield NAMESPACES
    yield NOT_TAKEN


def _of_database(source: Source, path: Path) -> Iterator[PeerItem]:
    at = source.written_at(path)
    with opened(path) as db:
        there = columns_of(db, "memories")
        if "primary_sector" in there:
            raise UnreadableError(OTHER_PRODUCT.format(name=path.name))
        if not {"id", "content", "state", "app_id"} <= there:
            raise UnreadableError(NOT_IT.format(name=path.name))
        links = (row for row, _ in rows(db, "memory_categories", ("memory_id", "category_id")))
        tags = _by_memory(_named(db, "categories", "name"), links)
        names = OpenMemoryNames(_named(db, "users", "user_id"), _named(db, "apps", "name"), tags)
        for row, is_utf8 in rows(db, "memories", COLUMNS):
            yield from _items(row, names, at, _as_it_is, is_utf8=is_utf8)
        yield from untaken(db, "memories", COLUMNS)


def _named(db: apsw.Connection, table: str, name: str) -> dict[str, str]:
    return {_id(row["id"]): told(row[name]) for row, _ in rows(db, table, ("id", name))}


def _of_export(source: Source, path: Path) -> Iterator[PeerItem]:
    held = json_file(path)
    if not isinstance(held, Mapping) or "memories" not in held:
        raise UnreadableError(NOT_IT.format(name=path.name))
    apps, categories = (
        {_id(each.get("id")): told(each.get("name")) for each in objects(held.get(name))}
        for name in ("apps", "categories")
    )
    user, made = members(held.get("user")), moment(members(held.get("export_meta")).get("generated_at"))
    tags = _by_memory(categories, objects(held.get("memory_categories")))
    names = OpenMemoryNames({_id(user.get("id")): told(user.get("user_id"))}, apps, tags)
    to_utc, said = _shift(source, source.written_at(path), made)
    yield from said
    for memory in objects(held["memories"]):
        row = {name: memory.get(name) for name in COLUMNS}
        yield from _items(row, names, source.written_at(path), to_utc, is_utf8=True)


def _shift(source: Source, written: datetime, made: datetime | None) -> tuple[ToUtc, list[Remark]]:
    """Return what moves the times of an export back, and what to say.

    The peer's times are in UTC, but its export takes them for those of the machine. That machine's zone shows in the
    time that the zip gives the file, which has no zone and is in this machine's here, beside the time within, in UTC.
    """
    if source.zone:
        return _from_local, [Remark("guessed", SHIFTED.format(how=source.zone))]
    clock = written.astimezone().replace(tzinfo=UTC)
    offset = round((clock - made) / QUARTER) * QUARTER if made else None
    if offset is None or abs(offset) > FARTHEST:
        return _as_it_is, [Remark("guessed", UNKNOWN_SHIFT)]
    if not offset:
        return _as_it_is, []
    if made and made.astimezone().utcoffset() == offset:
        return _from_local, [Remark("guessed", SHIFTED.format(how="this machine's zone, which --source-tz changes"))]
    hours = f"{offset / timedelta(hours=1):+g} h all year, which --source-tz changes"
    return lambda at: at + offset, [Remark("guessed", SHIFTED.format(how=hours))]


def _as_it_is(at: datetime) -> datetime:
    return at


def _from_local(at: datetime) -> datetime:
    return at.astimezone().replace(tzinfo=UTC)


def _by_memory(categories: Mapping[str, str], links: Iterable[PeerRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for link in links:
        if name := categories.get(_id(link.get("category_id"))):
            found.setdefault(_id(link.get("memory_id")), []).append(name)
    return found


def _items(
    row: PeerRow, names: OpenMemoryNames, file_time: datetime, to_utc: ToUtc, *, is_utf8: bool
) -> Iterator[PeerItem]:
    source_id, state = _id(row["id"]), told(row["state"])
    times = {name: _time(row[name], to_utc) for name in COLUMNS if name.endswith("_at")}
    created = times["created_at"]
    yield from remarks(source_id, is_utf8=is_utf8, has_time=created is not None)
    ended = {name: at.isoformat() for name in ("archived_at", "deleted_at") if (at := times[name])}
    yield PeerRecord(
        source_id,
        told(row["content"]),
        created or file_time,
        max(filter(None, (created or file_time, times["updated_at"]))),
        (*names.tags.get(source_id, ()), *([state] if state in STATE_TAGS else [])),
        metadata=joined(members(row["metadata"]), {"app": names.apps.get(_id(row["app_id"])), **ended}),
        namespace=names.users.get(_id(row["user_id"]), ""),
        state=DELETED if state == DELETED else LIVE,
        is_dated=created is not None,
    )


def _time(value: object, to_utc: ToUtc) -> datetime | None:
    with suppress(OverflowError, ValueError, OSError):  # at the ends of what has a date
        return to_utc(at) if (at := moment(value)) else None
    return None


def _id(value: object) -> str:
    """Return an id as the database has it; the export writes hyphens."""
    return told(value).replace("-", "")
