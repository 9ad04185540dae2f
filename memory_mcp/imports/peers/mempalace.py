"""MemPalace 3: drawers in a database of Chroma, and facts in `knowledge_graph.sqlite3`, which may lie elsewhere."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.chroma import ChromaRow, chroma, rows, unapplied
from memory_mcp.imports.peers.database import PeerRow, columns_of, opened
from memory_mcp.imports.peers.database import rows as rows_of
from memory_mcp.imports.peers.values import iso, moment, own_id, remarks, told

DRAWERS: Final = "mempalace_drawers"
"""The other collection, of closets, is an index of these."""
PARENT: Final = "parent_drawer_id"
CHUNK: Final = "chunk_index"
MINED: Final = ("chunk_total", "ingest_mode")
BOOKKEEPING: Final = frozenset(
    {
        "chunk_total",
        "content_hash",
        "convo_chunker_version",
        "filed_at",
        "id_recipe",
        "last_modified",
        "normalize_version",
        "parent_drawer_id",
        "room",
        "source_dir_ino",
        "wing",
    }
)
QUARTER: Final = timedelta(minutes=15)
WIDEST: Final = timedelta(hours=14)
"""No zone is further from UTC: the row was written anew, by a repair."""
FACTS: Final = ("id", "subject", "predicate", "object", "valid_from", "valid_to", "confidence", "extracted_at")


@dataclass(frozen=True, slots=True)
class LocalClock:
    """Reads its times, which are local and without a zone, by the times in UTC that Chroma gave the same rows."""

    source: Source
    filed: Sequence[tuple[datetime, timedelta]]
    """Local times with what was to be added to UTC, in order."""

    def utc(self, local: datetime) -> datetime:
        """Return a time in UTC, by the row that was filed nearest to it."""
        if not self.filed:
            return self.source.aware(local)
        place = bisect_left(self.filed, local, key=itemgetter(0))
        _, offset = min(self.filed[max(0, place - 1) : place + 1], key=lambda each: abs(each[0] - local))
        return (local - offset).replace(tzinfo=UTC)


def read(source: Source) -> Iterator[PeerItem]:
    """Yield drawers, their chunks joined, and facts.

    Raises:
        UnreadableError: there is no palace, or there are several.
    """
    files = source.files()
    times = {file: source.written_at(file) for file in files}  # before they are opened
    graphs = [file for file in files if _is_graph(file)]
    palaces = [file for file in files if file not in graphs]
    if not files or len(palaces) > 1:
        names = ", ".join(str(file.relative_to(source.path)) for file in palaces[:5])
        raise UnreadableError(
            f"it holds several palaces ({names}); give the folder of one"
            if files
            else "it holds no palace; give its folder"
        )
    for palace in palaces:
        yield from _palace(palace, source, times[palace])
    for graph in graphs:
        yield from _facts(graph, times[graph])
    if not palaces:
        yield Remark("lost", "there is no palace in it, facts alone; import the palace's folder too")
    if not graphs:
        yield Remark(
            "lost", "there is no knowledge_graph.sqlite3 in it; import that too, by its path, usually in ~/.mempalace"
        )


def _is_graph(file: Path) -> bool:
    with opened(file) as db:
        return bool(columns_of(db, "triples"))


def _palace(path: Path, source: Source, at: datetime) -> Iterator[PeerItem]:
    with chroma(path) as db:
        yield from unapplied(db)
        drawers = [row for row in rows(db) if row.collection == DRAWERS]
    clock = LocalClock(source, _offsets(drawers))
    for parts in _by_drawer(drawers):
        yield from _drawer(parts, clock, at)


def _offsets(drawers: Sequence[ChromaRow]) -> list[tuple[datetime, timedelta]]:
    found = []
    for row in drawers:
        local = _local(row.metadata.get("filed_at"))
        if local is not None and (offset := _offset(local, row.at)) is not None:
            found.append((local, offset))
    return sorted(found)


def _offset(local: datetime, at: datetime | None) -> timedelta | None:
    """Return how far the clock was from UTC; zones are whole quarters of an hour away."""
    if at is None:
        return None
    difference = local.replace(tzinfo=UTC) - at
    return None if abs(difference) > WIDEST else round(difference / QUARTER) * QUARTER


def _local(written: object) -> datetime | None:
    at = iso(written)
    return at and at.replace(tzinfo=None)


def _by_drawer(drawers: Sequence[ChromaRow]) -> Iterator[list[ChromaRow]]:
    """Yield the chunks of each drawer in order; what was mined from files stays apart, for its chunks overlap."""
    found: dict[str, list[ChromaRow]] = {}
    for row in drawers:
        found.setdefault(str(row.metadata.get(PARENT) or row.source_id), []).append(row)
    for chunks in found.values():
        yield sorted(chunks, key=_number)


def _number(row: ChromaRow) -> int:
    number = row.metadata.get(CHUNK)
    return number if isinstance(number, int) else 0


def _drawer(parts: list[ChromaRow], clock: LocalClock, file_time: datetime) -> Iterator[PeerItem]:
    first = parts[0]
    source_id = str(first.metadata.get(PARENT) or first.source_id)
    if any(part.document is None for part in parts):
        yield Remark("bad", "it has no text", source_id)
        return
    if PARENT in first.metadata and [_number(part) for part in parts] != list(range(len(parts))):
        yield Remark("lost", "parts of its text are missing", source_id)
    is_mined = any(key in first.metadata for key in MINED)
    if is_mined:
        yield Remark("guessed", "it was mined from a file; its chunks overlap, and each is a memory", source_id)
    filed = _local(first.metadata.get("filed_at"))
    changed = _local(first.metadata.get("last_modified"))
    has_time = bool(filed or first.at)
    yield from remarks(source_id, is_utf8=all(part.is_utf8 for part in parts), has_time=has_time)
    if filed and _offset(filed, first.at) is None:
        yield Remark("guessed", clock.source.zone_guess.what, source_id)
    created = _created(filed, first.at, clock) or file_time
    wing, room = (str(first.metadata.get(key) or "") for key in ("wing", "room"))
    yield PeerRecord(
        source_id,
        "".join(part.document or "" for part in parts),
        created,
        max(created, clock.utc(changed)) if changed and changed != filed else created,
        tuple(tag for tag in (wing, room) if tag),
        "chunk" if is_mined else room,
        _metadata(first.metadata, is_mined=is_mined),
        is_dated=has_time,
    )


def _created(filed: datetime | None, at: datetime | None, clock: LocalClock) -> datetime | None:
    if filed is None:
        return at
    offset = _offset(filed, at)
    return clock.source.aware(filed) if offset is None else (filed - offset).replace(tzinfo=UTC)


def _metadata(held: Mapping[str, object], *, is_mined: bool) -> dict[str, object]:
    left_out = BOOKKEEPING if is_mined else BOOKKEEPING | {CHUNK}
    return {key: value for key, value in held.items() if key not in left_out and value != ""}


def _facts(path: Path, file_time: datetime) -> Iterator[PeerItem]:
    with opened(path) as db:
        if not set(FACTS[:4]) <= columns_of(db, "triples"):
            raise UnreadableError(f"{path.name} has no facts of MemPalace 3; name its knowledge_graph.sqlite3")
        names = {row["id"]: row["name"] for row, _ in rows_of(db, "entities", ("id", "name"))}
        for row, is_utf8 in rows_of(db, "triples", FACTS):
            named = {end: names.get(row[end]) or row[end] for end in ("subject", "object")}
            yield from _fact({**row, **named}, file_time, is_utf8=is_utf8)


def _fact(row: PeerRow, file_time: datetime, *, is_utf8: bool) -> Iterator[PeerItem]:
    source_id, since, until = told(row["id"]), row["valid_from"], row["valid_to"]
    content = f"{row['subject']} {told(row['predicate']).replace('_', ' ')} {row['object']}"
    span = f"{since or ''} \N{EN DASH} {until or ''}".strip() if since or until else ""
    extracted = moment(row["extracted_at"])
    yield from remarks(source_id, is_utf8=is_utf8, has_time=extracted is not None)
    created = extracted or file_time
    yield PeerRecord(
        source_id,
        f"{content} ({span})" if span else content,
        created,
        created,
        (),
        "relation",
        {name: row[name] for name in FACTS[1:-1]},
        id=own_id("mempalace", source_id),  # its own grow with the names in them
        is_dated=extracted is not None,
    )
