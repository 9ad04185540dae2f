"""Reads a chat that WhatsApp exported as text: one conversation, whose turns may have several lines.

The export's dates have the phone's order and no zone: the order is told from all of them, the zone is taken for UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple, TextIO

from memory_mcp.documents.readers import charsets
from memory_mcp.documents.readers.chats import turn_of
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.plain import empty, one_line

MAX_LINE: Final = 64 * 1024
_MARKS: Final = "\u200e\u200f\u202a\u202c\ufeff"
_BEGINS: Final = re.compile(
    rf"[{_MARKS}]*\[?(\d{{1,4}})([./-])(\d{{1,2}})\2(\d{{2,4}}),?\s+(\d{{1,2}})[:.](\d\d)(?:[:.](\d\d))?"
    r"\s*([AaPp])?\.?\s?[Mm]?\.?(?:\]\s*|\s+[-–]\s+)(.*)",
    re.DOTALL,
)
_SAID: Final = re.compile(r"([^:\n]{1,80}): (.*)", re.DOTALL)
_OMITTED: Final = re.compile(r"<[^<>\n]{3,60}>|null")
_TITLE: Final = re.compile(r"(?:WhatsApp[ -])?Chat (?:with|mit|con|avec|met) (.+)\.txt", re.IGNORECASE)


class _Turn(NamedTuple):
    numbers: tuple[int, int, int]
    """The date, as it is written."""
    time: tuple[int, int, int]
    text: str
    is_american: bool
    """Whether it is written as 1/31/25, 9:14 PM, which no country with the day in front does."""


def begins_turn(line: str) -> bool:
    """Tell whether a line begins as WhatsApp's turns do."""
    return _BEGINS.match(line) is not None


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with charsets.opened(source.file) as lines:
        order = _order(turn for turn in _turns(lines))
        speakers = _speakers(lines)
        lines.seek(0)
        blocks = (block for turn in _turns(lines) if (block := _block(turn, order)) is not None)
        first = next(blocks, None)
        if first is None:
            raise empty()
        named = _TITLE.fullmatch(source.name)
        title = named[1] if named else ", ".join(speakers)
        yield Header(title=title, media_type="text/plain", created_at=first.created_at, is_conversation=True)
        yield first
        yield from blocks


def _turns(lines: TextIO) -> Iterator[_Turn]:
    """Yield the turns; a line that begins none goes on with the last."""
    turn: _Turn | None = None
    more: list[str] = []
    while line := lines.readline(MAX_LINE):
        begun = _BEGINS.match(line)
        if begun is None:
            more.append(line)
            continue
        if turn is not None:
            yield turn._replace(text="".join((turn.text, *more)))
        more.clear()
        turn = _turn(begun)
    if turn is not None:
        yield turn._replace(text="".join((turn.text, *more)))


def _turn(begun: re.Match[str]) -> _Turn:
    hour = int(begun[5]) % 12 + 12 * (begun[8] in "Pp") if begun[8] else int(begun[5])
    return _Turn(
        (int(begun[1]), int(begun[3]), int(begun[4])),
        (hour, int(begun[6]), int(begun[7] or 0)),
        begun[9],
        bool(begun[8]) and begun[2] == "/",
    )


def _speakers(lines: TextIO) -> list[str]:
    lines.seek(0)
    names: dict[str, None] = {}
    for turn in _turns(lines):
        said = _SAID.match(turn.text)
        if said is not None and len(names) < 5:
            names[_name(said[1])] = None
    return list(names)


def _order(turns: Iterable[_Turn]) -> str:
    """Return the order of the dates: a number above 12 is no month, one above 31 a year."""
    order = usual = ""
    for turn in turns:
        first, second, _ = turn.numbers
        usual = "mdy" if turn.is_american else "dmy"
        if first > 31:
            return "ymd"
        if first > 12:
            order = "dmy"
        elif second > 12:
            order = "mdy"
    return order or usual


def _block(turn: _Turn, order: str) -> TextBlock | None:
    said = _SAID.match(turn.text)
    if said is None or said[2].startswith("\u200e") or _OMITTED.fullmatch(said[2].strip()):
        return None  # WhatsApp's own words, or a picture's place
    return turn_of(_name(said[1]), said[2].strip(_MARKS), _time(turn, order))


def _name(text: str) -> str:
    return one_line(text.strip(_MARKS + "~ \u202f"))


def _time(turn: _Turn, order: str) -> datetime | None:
    date = dict(zip(order, turn.numbers, strict=True))
    year = date["y"] + 2000 if date["y"] < 100 else date["y"]
    try:
        return datetime(year, date["m"], date["d"], *turn.time, tzinfo=UTC)
    except ValueError:
        return None
