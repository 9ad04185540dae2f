"""basic-memory: notes with permalinks; its database says when those were created whose front matter does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from memory_mcp.domain.models import MAX_ID
from memory_mcp.domain.names import nfc
from memory_mcp.imports.model import PeerItem, Remark, Source, UnreadableError
from memory_mcp.imports.peers import markdown
from memory_mcp.imports.peers.database import columns_of, opened, rows
from memory_mcp.imports.peers.markdown import Note
from memory_mcp.imports.peers.values import moment, own_id, told

DATABASE: Final = "memory.db"
HOME: Final = PurePosixPath(".basic-memory")
NO_HISTORY: Final = Remark("lost", "the peer overwrites notes: their earlier texts are not kept there")
MAX_RELATIONS: Final = 200
MORE_RELATIONS: Final = f"its relations beyond the {MAX_RELATIONS}th stay in its text alone"
_RELATION: Final = re.compile(r"\s*[-*+]\s+([^\[\]]*?)\s*\[\[([^\[\]|]+)(?:\|[^\[\]]*)?\]\](?:\s*\(.*\))?\s*")
CreatedByPlace = Mapping[str, datetime]


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each note.

    Raises:
        UnreadableError: there is no note.
    """
    known = _created(source)
    seen: set[str] = set()
    found = False
    for note in markdown.notes(source, _root(source, known)):
        found = True
        if isinstance(note, Note):
            yield from _items(note, source, known, seen)
        else:
            yield note
    if not found:
        raise UnreadableError("it holds no notes (.md); give the folder of a project of basic-memory")
    yield NO_HISTORY


def _created(source: Source) -> CreatedByPlace:
    """Return when notes were created by their paths; a path that several projects have is left out."""
    found: dict[str, set[datetime]] = {}
    for path in source.files(f"**/{DATABASE}") if source.path.is_dir() else []:
        for place, project, written in _rows(path):
            if path.parent.name == HOME.name and PurePosixPath(project).name != source.path.name:
                continue  # the database knows all projects of the user
            if at := moment(written, source.aware):
                found.setdefault(nfc(place), set()).add(at)
    return {place: times.pop() for place, times in found.items() if len(times) == 1}


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the path of each note, that of its project, and when it was created."""
    with opened(path) as db:
        if {"file_path", "created_at", "project_id"} <= columns_of(db, "entity") and columns_of(db, "project"):
            projects = {row["id"]: told(row["path"]) for row, _ in rows(db, "project", ("id", "path"))}
            for row, _ in rows(db, "entity", ("file_path", "project_id", "created_at")):
                yield told(row["file_path"]), projects.get(row["project_id"], ""), told(row["created_at"])


def _root(source: Source, known: CreatedByPlace) -> Path:
    """Return the project's folder, which an archive may hold within others: most notes are where they are known."""
    roots: Counter[Path] = Counter()
    for path in source.files() if source.path.is_dir() else []:
        folders = [folder for folder in path.parents if folder.is_relative_to(source.path)]
        roots.update(folder for folder in folders[::-1] if nfc(path.relative_to(folder).as_posix()) in known)
    return max(roots, key=lambda root: roots[root], default=source.path)


def _items(note: Note, source: Source, known: CreatedByPlace, seen: set[str]) -> Iterator[PeerItem]:
    place = PurePosixPath(note.place)
    created = known.get(note.place)
    when = markdown.times(note, source, created)
    if created is not None and when.created == created:
        note.remarks.append(Remark("guessed", source.zone_guess.what, note.place))
    permalink = note.text("permalink")
    is_id = permalink and len(permalink) <= MAX_ID and permalink not in seen
    seen.add(permalink)
    related = relations(note.body)
    if len(related) > MAX_RELATIONS:
        note.remarks.append(Remark("lost", MORE_RELATIONS, note.place))
    metadata = {
        "title": note.text("title") or place.stem,
        "folder": markdown.folder_of(note),
        "permalink": "" if is_id else permalink,
        "relations": related[:MAX_RELATIONS],
    }
    yield from markdown.record(
        note,
        when,
        id=permalink if is_id else own_id("basic-memory", note.place),
        tags=note.texts("tags"),
        type=note.text("type"),
        metadata=metadata,
    )


def relations(body: str) -> list[dict[str, str]]:
    """Return the relations that lists in a text name, except in code."""
    matches = map(_RELATION.fullmatch, markdown.lines_outside_code(body))
    return [{"relation": match[1] or "relates_to", "to": match[2].strip()} for match in matches if match]
