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
from memory_mcp.imports.peers.database import columns_of, opened
from memory_mcp.imports.peers.values import REPLACED, own_id

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
FACTS: Final = """
SELECT t.id, coalesce(s.name, t.subject), t.predicate, coalesce(o.name, t.object), t.valid_from, t.valid_to,
       t.confidence, t.extracted_at
FROM triples t LEFT JOIN entities s ON s.id = t.subject LEFT JOIN entities o ON o.id = t.object
ORDER BY t.rowid
"""


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
        yield from _palace(palace, source)
    for graph in graphs:
        yield from _facts(graph)
    if not palaces:
        yield Remark("lost", "there is no palace in it, facts alone; import the palace's folder too")
    if not graphs:
        yield Remark(
            "lost", "there is no knowledge_graph.sqlite3 in it; import that too, by its path, usually in ~/.mempalace"
        )


def _is_graph(file: Path) -> bool:
    with opened(file) as db:
        return bool(columns_of(db, "triples"))


def _palace(path: Path, source: Source) -> Iterator[PeerItem]:
    with chroma(path) as db:
        yield from unapplied(db)
        drawers = [row for row in rows(db) if row.collection == DRAWERS]
    clock = LocalClock(source, _offsets(drawers))
    for parts in _by_drawer(drawers):
        yield from _drawer(parts, clock)


def _offsets(drawers: Sequence[ChromaRow]) -> list[tuple[datetime, timedelta]]:
    found = []
    for row in drawers:
        local = _local(row.metadata.get("filed_at"))
        if local is not None and (offset := _offset(local, row.at)) is not None:
            found.append((local, offset))
    return sorted(found)


def _offset(local: datetime, at: datetime) -> timedelta | None:
    """Return how far the clock was from UTC; zones are whole quarters of an hour away."""
    difference = local.replace(tzinfo=UTC) - at
    return None if abs(difference) > WIDEST else round(difference / QUARTER) * QUARTER


def _local(written: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(written)).replace(tzinfo=None) if written else None
    except ValueError:
        return None


def _by_drawer(drawers: Sequence[ChromaRow]) -> Iterator[list[ChromaRow]]:
    """Yield the chunks of each drawer in order; what was mined from files stays apart, for its chunks overlap."""
    found: dict[str, list[ChromaRow]] = {}
    for row in drawers:
        found.setdefault(str(row.metadata.get(PARENT) or row.source_id), []).append(row)
    for rows_of in found.values():
        yield sorted(rows_of, key=_number)


def _number(row: ChromaRow) -> int:
    number = row.metadata.get(CHUNK)
    return number if isinstance(number, int) else 0


def _drawer(parts: list[ChromaRow], clock: LocalClock) -> Iterator[PeerItem]:
    first = parts[0]
    source_id = str(first.metadata.get(PARENT) or first.source_id)
    if any(part.document is None for part in parts):
        yield Remark("bad", "it has no text", source_id)
        return
    if PARENT in first.metadata and [_number(part) for part in parts] != list(range(len(parts))):
        yield Remark("lost", "parts of its text are missing", source_id)
    if not all(part.is_utf8 for part in parts):
        yield Remark("lost", REPLACED, source_id)
    is_mined = any(key in first.metadata for key in MINED)
    if is_mined:
        yield Remark("guessed", "it was mined from a file; its chunks overlap, and each is a memory", source_id)
    filed = _local(first.metadata.get("filed_at"))
    changed = _local(first.metadata.get("last_modified"))
    created, remark = _created(filed, first.at, clock, source_id)
    yield from remark
    wing, room = (str(first.metadata.get(key) or "") for key in ("wing", "room"))
    yield PeerRecord(
        source_id,
        "".join(part.document or "" for part in parts),
        created,
        max(created, clock.utc(changed)) if changed and changed != filed else created,
        tuple(tag for tag in (wing, room) if tag),
        "chunk" if is_mined else room,
        _metadata(first.metadata, is_mined=is_mined),
    )


def _created(filed: datetime | None, at: datetime, clock: LocalClock, source_id: str) -> tuple[datetime, list[Remark]]:
    if filed is None:
        return at, []
    offset = _offset(filed, at)
    if offset is not None:
        return (filed - offset).replace(tzinfo=UTC), []
    guess = clock.source.zone_guess
    return clock.source.aware(filed), [Remark(guess.kind, guess.what, source_id)]


def _metadata(held: Mapping[str, object], *, is_mined: bool) -> dict[str, object]:
    left_out = BOOKKEEPING if is_mined else BOOKKEEPING | {CHUNK}
    return {key: value for key, value in held.items() if key not in left_out and value != ""}


def _facts(path: Path) -> Iterator[PeerItem]:
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with opened(path) as db:
        for source_id, subject, predicate, object_, since, until, confidence, written in db.execute(FACTS):
            told = f"{subject} {str(predicate).replace('_', ' ')} {object_}"
            span = f"{since or ''} \N{EN DASH} {until or ''}".strip() if since or until else ""
            extracted = _local(written)
            created = extracted.replace(tzinfo=UTC) if extracted else at
            fact = {"subject": subject, "predicate": predicate, "object": object_, "valid_from": since}
            yield PeerRecord(
                str(source_id),
                f"{told} ({span})" if span else told,
                created,
                created,
                (),
                "relation",
                {**fact, "valid_to": until, "confidence": confidence},
                id=own_id("mempalace", source_id),  # its own grow with the names in them
                is_dated=extracted is not None,
            )
