"""basic-memory: notes with permalinks; its database says when those were created whose front matter does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from memory_mcp.domain.models import MAX_ID
from memory_mcp.domain.names import nfc
from memory_mcp.imports.model import PeerItem, Remark, Source, UnreadableError
from memory_mcp.imports.peers import markdown
from memory_mcp.imports.peers.database import columns_of, opened
from memory_mcp.imports.peers.markdown import Note
from memory_mcp.imports.peers.values import own_id

DATABASE: Final = "memory.db"
NO_HISTORY: Final = Remark("lost", "the peer overwrites notes: their earlier texts are not kept there")
_RELATION: Final = re.compile(r"\s*[-*+]\s+([^\[\]]*?)\s*\[\[([^\[\]|]+)(?:\|[^\[\]]*)?\]\](?:\s*\(.*\))?\s*")
Times = Mapping[str, datetime]


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each note.

    Raises:
        UnreadableError: there is no note.
    """
    known = dict(_created(source))
    seen: set[str] = set()
    found = False
    for note in markdown.notes(source, source.path):
        found = True
        if isinstance(note, Note):
            yield from _items(note, source, known, seen)
        else:
            yield note
    if not found:
        raise UnreadableError("it holds no notes (.md); give the folder of a project of basic-memory")
    yield NO_HISTORY


def _created(source: Source) -> Iterator[tuple[str, datetime]]:
    """Yield when notes were created by their paths; a path of two projects is left out."""
    for path in source.files(f"**/{DATABASE}") if source.path.is_dir() else []:
        with opened(path) as db:
            if not {"file_path", "created_at"} <= columns_of(db, "entity"):
                continue
            rows = db.execute("SELECT file_path, min(created_at) FROM entity GROUP BY file_path HAVING count(*) = 1")
            for place, written in rows:
                try:
                    yield nfc(str(place)), source.aware(datetime.fromisoformat(str(written)))
                except ValueError:
                    continue


def _items(note: Note, source: Source, known: Times, seen: set[str]) -> Iterator[PeerItem]:
    place = PurePosixPath(note.place)
    created = _of(place, known)
    when = markdown.times(note, source, created)
    if created is not None and when.created == created:
        note.remarks.append(Remark("guessed", source.zone_guess.what, note.place))
    permalink = note.text("permalink")
    is_id = permalink and len(permalink) <= MAX_ID and permalink not in seen
    seen.add(permalink)
    metadata = {
        "title": note.text("title") or place.stem,
        "folder": "" if place.parent.name == "" else str(place.parent),
        "permalink": "" if is_id else permalink,
        "relations": relations(note.body),
    }
    yield from markdown.record(
        note,
        when,
        id=permalink if is_id else own_id("basic-memory", note.place),
        tags=note.texts("tags"),
        type=note.text("type"),
        metadata=metadata,
    )


def _of(place: PurePosixPath, known: Times) -> datetime | None:
    """Return what is known of a note; the source may begin above the project's folder."""
    parts = place.parts
    return next((known[path] for start in range(len(parts)) if (path := "/".join(parts[start:])) in known), None)


def relations(body: str) -> list[dict[str, str]]:
    """Return the relations that lists in a text name, except in code."""
    matches = map(_RELATION.fullmatch, markdown.lines_outside_code(body))
    return [{"relation": match[1] or "relates_to", "to": match[2].strip()} for match in matches if match]
