"""Pasted lists: a memory for each bullet, numbered item, dated line or paragraph of a text."""

from __future__ import annotations

import codecs
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source
from memory_mcp.imports.peers.values import REPLACED, moment

IDS: Final = uuid.UUID("0f6f1f0e-6c1b-5d0a-8d55-6d3f5a0c7b11")
"""Ours; a text has no ids, so they are made of days and words."""
BULLET: Final = re.compile(r"(?:[-*+\u2022\u2023\u25e6\u2013]|\d{1,4}[.)])\s+")
DATE: Final = re.compile(r"\[(\d{4}-\d\d-\d\d|unknown)\]\s*[-\u2013\u2014:.]?\s*", re.IGNORECASE)
HEADING: Final = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
FENCE: Final = re.compile(r"(?:```|~~~)\S*$")
NO_TIME: Final = Remark("guessed", "it has no date; the file's time is taken")
DAY_ALONE: Final = Remark("guessed", "it has a day alone; taken as that day's first minute")


@dataclass(slots=True)
class ListEntry:
    """A memory, as its lines are read."""

    section: str
    indent: int
    lines: list[str] = field(default_factory=list)
    is_item: bool = True
    date: str = ""

    @property
    def content(self) -> str:
        """Its text."""
        return "\n".join(self.lines).strip()


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories of a text, or of the texts of a folder."""
    for path in source.files():
        written, is_whole = _decoded(path.read_bytes())
        if not is_whole:
            yield Remark("lost", REPLACED, path.name)
        at = source.written_at(path)
        for entry in entries(written):
            yield from _items(source, entry, at)


def entries(written: str) -> Iterator[ListEntry]:
    """Yield what a text lists, in its order."""
    section, current = "", None
    for line in written.splitlines():
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if heading := HEADING.match(text):
            section = heading[1]
        begins = _begun(section, text, indent)
        if current and (heading or FENCE.match(text) or not text or not _belongs(current, begins)):
            yield current
            current = None
        if heading or FENCE.match(text) or not text:
            continue
        if current is None:
            current = begins
        else:
            current.lines.append(line.rstrip())
    if current:
        yield current


def _belongs(current: ListEntry, line: ListEntry) -> bool:
    """Whether a line is more of the entry: it begins none of its own, or one below it."""
    return not line.is_item or (current.is_item and line.indent > current.indent)


def _begun(section: str, text: str, indent: int) -> ListEntry:
    """Return the entry that a line would begin."""
    bullet = BULLET.match(text)
    rest = text[bullet.end() :] if bullet else text
    dated = DATE.match(rest)
    rest = rest[dated.end() :] if dated else rest
    date = dated[1] if dated and dated[1][0].isdigit() else ""
    return ListEntry(section, indent, [rest], bool(bullet or dated), date)


def _items(source: Source, entry: ListEntry, at: datetime) -> Iterator[PeerItem]:
    if not entry.content:
        return
    memory_id = str(uuid.uuid5(IDS, f"{entry.date}\n{entry.content}"))
    day = moment(entry.date, source.aware)
    if day is None:
        yield NO_TIME
    else:
        yield DAY_ALONE
        yield source.zone_guess
    metadata = {"section": entry.section} if entry.section else {}
    written_at = day or at
    yield PeerRecord(memory_id, entry.content, written_at, written_at, metadata=metadata, is_dated=day is not None)


def _decoded(content: bytes) -> tuple[str, bool]:
    """Return the text, and whether all of it could be read."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), True
    try:
        return content.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return content.decode("utf-8-sig", "replace"), False
