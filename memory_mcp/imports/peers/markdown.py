"""Markdown notes with front matter: what the profiles of basic-memory, Obsidian and Claude Code share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.domain.names import nfc
from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source
from memory_mcp.imports.peers import front_matter
from memory_mcp.imports.peers.values import FROM_MS, NO_TIME, REPLACED, iso, moment

MAX_BYTES: Final = 8 << 20
"""Of a note: twice what a memory's text can have."""
TOO_LARGE: Final = "it is larger than a memory can be"
NOT_YAML: Final = "its front matter is no YAML that can be read; it stays in the text"
ODD_TIME: Final = "its date cannot be read; the file's time is taken"
CREATED: Final = ("created", "created_at", "date created", "creation date", "date")
MODIFIED: Final = (
    "modified",
    "modified_at",
    "date modified",
    "last modified",
    "last_modified",
    "updated",
    "updated_at",
)
RAW: Final = "import"
"""The member of metadata that becomes `import.raw`: there the front matter is kept as it was written."""
_CODE: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(slots=True)
class Note:
    """A note."""

    path: Path
    place: str
    """Its path in the source, as Windows, Linux and macOS agree on."""
    body: str
    front: dict[str, object] = field(default_factory=dict)
    """What a profile has not used yet."""
    raw: str = ""
    remarks: list[Remark] = field(default_factory=list)

    def guess(self, what: str) -> None:
        self.remarks.append(Remark("guessed", what, self.place))

    def texts(self, name: str, separators: str = ",") -> tuple[str, ...]:
        """Take a member that is a list, or one text with separators."""
        value = self.front.pop(name, None)
        found = re.split(f"[{separators}]", value) if isinstance(value, str) else value
        items = found if isinstance(found, list) else [found]
        return tuple(text for item in items if item is not None and (text := str(item).strip().lstrip("#")))

    def text(self, name: str) -> str:
        """Take a member that is a text; another stays."""
        return str(self.front.pop(name)) if isinstance(self.front.get(name), str) else ""


@dataclass(frozen=True, slots=True)
class NoteTimes:
    """When a note was written."""

    created: datetime
    updated: datetime
    is_dated: bool
    """Whether neither is the file's."""


def notes(source: Source, root: Path) -> Iterator[Note | Remark]:
    """Yield the notes, without those in hidden folders: what was thrown away, and settings."""
    for path in source.files():
        below = path.relative_to(source.path if source.path.is_dir() else source.path.parent)
        if path.suffix.lower() == ".md" and not any(part.startswith(".") for part in below.parts):
            place = path.relative_to(root) if path.is_relative_to(root) else below
            yield _note(path, nfc(place.as_posix()))


def _note(path: Path, place: str) -> Note | Remark:
    if path.stat().st_size > MAX_BYTES:
        return Remark("bad", TOO_LARGE, place)
    content = path.read_bytes()
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    note = Note(path, place, text)
    if "\N{REPLACEMENT CHARACTER}".encode() not in content and "\N{REPLACEMENT CHARACTER}" in text:
        note.remarks.append(Remark("lost", REPLACED, place))
    raw, body = front_matter.split(text)
    if raw is not None:
        try:
            note.front = front_matter.parsed(raw)
            note.raw, note.body = raw, body
        except front_matter.NotYamlError:
            note.guess(NOT_YAML)
    return note


def times(note: Note, source: Source, created: datetime | None = None) -> NoteTimes:
    """Take a note's times: those of its front matter, then the one that its program knows, then the file's."""
    own, modified = _time(note, source, CREATED), _time(note, source, MODIFIED)
    file = source.written_at(note.path)
    known = own or created
    if known is None:
        note.guess(NO_TIME)
    first = known or min(file, modified or file)
    return NoteTimes(first, max(first, modified or file), known is not None and modified is not None)


def _time(note: Note, source: Source, names: tuple[str, ...]) -> datetime | None:
    name = next((name for name in names if note.front.get(name) is not None), None)
    if name is None:
        return None
    value = note.front[name]
    found = _moment(value)
    if found is None:
        note.guess(ODD_TIME)
        return None
    del note.front[name]
    if found.tzinfo is None:
        guess = source.zone_guess
        note.remarks.append(Remark(guess.kind, guess.what, note.place))
    return source.aware(found)


def _moment(value: object) -> datetime | None:
    """Return a time as it is written, with its zone if it has one."""
    if isinstance(value, int | float):
        return moment(value) if value > FROM_MS / 1000 else None  # 2024 is a year
    return iso(value)


def record(
    note: Note,
    when: NoteTimes,
    *,
    id: str,  # noqa: A002 - as in the record
    tags: tuple[str, ...],
    type: str,  # noqa: A002 - as in the record
    metadata: Mapping[str, object],
    conversation_id: str | None = None,
) -> Iterator[PeerItem]:
    """Yield a note's memory, after what is to be said of it; an empty one is named."""
    yield from note.remarks
    if not note.body.strip():
        yield Remark("bad", "it has no text", note.place)
        return
    told = {**note.front, **{name: value for name, value in metadata.items() if value}}
    if note.raw:
        told[RAW] = note.raw
    yield PeerRecord(
        note.place,
        note.body,
        when.created,
        when.updated,
        tags,
        type,
        told,
        conversation_id,
        id=id,
        is_dated=when.is_dated,
    )


def folder_of(note: Note) -> str:
    """Return the folder of a note; empty for the source's own."""
    return note.place.rpartition("/")[0]


def lines_outside_code(body: str) -> Iterator[str]:
    """Yield the lines of prose, without code."""
    fence = ""
    for line in body.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif match:
            fence = match[1]
        else:
            yield _CODE.sub("", line)
