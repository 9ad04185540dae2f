"""OpenMemory of mem0, given up in 2026: `openmemory.db`, or the zip of its export, which holds one user."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

import apsw

from memory_mcp.imports.model import LIVE, PeerItem, PeerRecord, Remark, UnreadableError
from memory_mcp.imports.peers.database import PeerRow, columns_of, opened, rows
from memory_mcp.imports.peers.values import joined, members, moment, remarks, told, written_at

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
ZIP_MAGIC: Final = b"PK\x03\x04"
EXPORTED: Final = "memories.json"
MAX_EXPORT: Final = 512 << 20
"""Of the unpacked JSON."""
NOT_AN_EXPORT: Final = (
    StopIteration,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # encrypted, and what Python nests too deeply
    NotImplementedError,
    ValueError,
)
QUARTER: Final = timedelta(minutes=15)
"""Zones differ by quarters of an hour."""
NO_HISTORY: Final = Remark(
    "lost", "the peer keeps no text that was overwritten; its access log and rules are not taken"
)
NAMESPACES: Final = Remark("guessed", "each user's memories go into the namespace of that name")
OTHER_PRODUCT: Final = "{name} is of CaviraOSS's OpenMemory, another product of the same name, which is not read"
NOT_IT: Final = "{name} has no memories of mem0's OpenMemory; name its openmemory.db, or the zip of its export"
SHIFTED: Final = "the export was made in a zone {hours:+g} h from UTC, which shifts its times; they were moved back," \
    " those under the other summer time may be an hour off: openmemory.db has them right"  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenMemoryNames:
    """What ids stand for; all ids are without hyphens."""

    users: Mapping[str, str]
    apps: Mapping[str, str]
    tags: Mapping[str, list[str]]
    """The categories of each memory."""
    file_time: datetime
    shift: timedelta = timedelta()


def read(path: Path) -> Iterator[PeerItem]:
    """Yield the memories of all users.

    Raises:
        UnreadableError: it is neither a database nor an export of OpenMemory.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    yield from (_of_export if is_zip else _of_database)(path)
    yield NAMESPACES
    yield NO_HISTORY


def _of_database(path: Path) -> Iterator[PeerItem]:
    with opened(path) as db:
        there = columns_of(db, "memories")
        if "primary_sector" in there:
            raise UnreadableError(OTHER_PRODUCT.format(name=path.name))
        if not {"id", "content", "state", "app_id"} <= there:
            raise UnreadableError(NOT_IT.format(name=path.name))
        tags = _by_memory(
            _named(db, "categories", "name"),
            (row for row, _ in rows(db, "memory_categories", ("memory_id", "category_id"))),
        )
        names = OpenMemoryNames(_named(db, "users", "user_id"), _named(db, "apps", "name"), tags, written_at(path))
        for row, is_utf8 in rows(db, "memories", COLUMNS):
            yield from _items(row, names, is_utf8=is_utf8)


def _named(db: apsw.Connection, table: str, name: str) -> dict[str, str]:
    return {_id(row["id"]): told(row[name]) for row, _ in rows(db, table, ("id", name))}


def _of_export(path: Path) -> Iterator[PeerItem]:
    held, packed_at = _unpacked(path)
    things = {name: _objects(held.get(name)) for name in ("memories", "apps", "categories", "memory_categories")}
    names = {
        name: {_id(each.get("id")): told(each.get("name")) for each in things[name]} for name in ("apps", "categories")
    }
    user = members(held.get("user"))
    shift = _shift(packed_at, moment(members(held.get("export_meta")).get("generated_at")))
    if shift:
        yield Remark("guessed", SHIFTED.format(hours=shift / timedelta(hours=1)))
    tags = _by_memory(names["categories"], things["memory_categories"])
    known = OpenMemoryNames(
        {_id(user.get("id")): told(user.get("user_id"))}, names["apps"], tags, written_at(path), shift
    )
    for memory in things["memories"]:
        yield from _items({name: memory.get(name) for name in COLUMNS}, known, is_utf8=True)


def _unpacked(path: Path) -> tuple[dict[str, object], datetime]:
    """Return what the zip says, and the time on the clock of the machine that made it."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = next(each for each in archive.infolist() if Path(each.filename).name == EXPORTED)
            with archive.open(found) as file:
                content = file.read(MAX_EXPORT + 1)
        packed_at = datetime(*found.date_time, tzinfo=UTC)
        held = json.loads(content) if len(content) <= MAX_EXPORT else None
    except NOT_AN_EXPORT as error:
        raise UnreadableError(NOT_IT.format(name=path.name)) from error
    if held is None:
        raise UnreadableError(f"{path.name} unpacks to more than {MAX_EXPORT >> 20} MiB; name the openmemory.db")
    if not isinstance(held, dict) or "memories" not in held:
        raise UnreadableError(NOT_IT.format(name=path.name))
    return held, packed_at


def _shift(clock: datetime, utc: datetime | None) -> timedelta:
    """Return by how much the clock of the exporting machine was ahead of UTC.

    The peer takes its times, which are in UTC, for that machine's own when it exports them.
    """
    return round((clock - utc) / QUARTER) * QUARTER if utc else timedelta()


def _objects(held: object) -> list[dict[str, object]]:
    return [each for each in cast("list[object]", held) if isinstance(each, dict)] if isinstance(held, list) else []


def _by_memory(categories: Mapping[str, str], links: Iterable[PeerRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for link in links:
        if name := categories.get(_id(link.get("category_id"))):
            found.setdefault(_id(link.get("memory_id")), []).append(name)
    return found


def _items(row: PeerRow, names: OpenMemoryNames, *, is_utf8: bool) -> Iterator[PeerItem]:
    source_id, state = _id(row["id"]), told(row["state"])
    times = {name: _time(row[name], names.shift) for name in COLUMNS if name.endswith("_at")}
    created = times["created_at"]
    yield from remarks(source_id, is_utf8=is_utf8, has_time=created is not None)
    yield PeerRecord(
        source_id,
        told(row["content"]),
        created or names.file_time,
        max(filter(None, (created or names.file_time, times["updated_at"]))),
        (*names.tags.get(source_id, ()), *([state] if state in STATE_TAGS else [])),
        metadata=joined(
            members(row["metadata"]),
            {
                "app": names.apps.get(_id(row["app_id"])),
                **{name: at.isoformat() for name in ("archived_at", "deleted_at") if (at := times[name])},
            },
        ),
        namespace=names.users.get(_id(row["user_id"]), ""),
        state=DELETED if state == DELETED else LIVE,
    )


def _time(value: object, shift: timedelta) -> datetime | None:
    at = moment(value)
    with suppress(OverflowError):  # before the year 1, after 9999
        return at and at + shift
    return None


def _id(value: object) -> str:
    """Return an id as the database has it; the export writes hyphens."""
    return told(value).replace("-", "")
