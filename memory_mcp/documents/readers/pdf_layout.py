"""Makes paragraphs and headings of the lines of a PDF page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

LARGER: Final = 1.12
"""From how many times the ordinary size on a line is a heading."""
SAME_SIZE: Final = 0.1
"""Part by which sizes within a paragraph differ, at most."""
MAX_HEADING_CHARS: Final = 160
MAX_HEADING_LINES: Final = 3
BOLD_LEVEL: Final = 9
"""Below the levels of larger sizes."""

_BULLET: Final = re.compile(r"(?:[•●○◦▪■□–—*·‣⁃➢✓-]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)])\s", re.IGNORECASE)
_NO_HEADING: Final = re.compile(r"^[)\]},.;:]|[.,;:]$|\.{3,}|…|\s\d+$")
_LABEL: Final = re.compile(r"[^:]{1,30}:\s\S")
_NUMBER: Final = re.compile(r"\d[\d.,:/%-]*")
_ENDS_SENTENCE: Final = re.compile(r"[.!?:。！？…][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands on the page; lengths are points, from the left and from the bottom."""

    text: str
    left: float
    right: float
    first_bottom: float
    """Of its first character's box."""
    last_bottom: float
    """Of its last; lower where a hyphenated word was joined with what follows."""
    size: float
    """Of its first character."""
    is_bold: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page's lines, in the order in which they are drawn."""

    number: int
    height: float
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    text: str
    level: int = 0
    """1 and more for a heading by its looks."""


def paragraphs(lines: list[Line], body_size: float, *, by_looks: bool) -> Iterator[Paragraph]:
    """Yield the paragraphs of a page; headings among them have a level where `by_looks` asks for it."""
    pitch = _pitch(lines)
    groups = list(_groups(lines, pitch))
    for index, group in enumerate(groups):
        if by_looks and (level := _level(group, groups[index + 1 : index + 2], body_size)):
            yield Paragraph(_joined(group), level)
        else:
            for part in _parts(group):
                yield Paragraph(_joined(part))


def _pitch(lines: list[Line]) -> float:
    """Return the usual distance from a line to the next."""
    gaps = Counter(
        round(above.last_bottom - below.first_bottom, 0)
        for above, below in pairwise(lines)
        if 0 < above.last_bottom - below.first_bottom < 3 * above.size
    )
    return gaps.most_common(1)[0][0] if gaps else 0.0


def _groups(lines: list[Line], pitch: float) -> Iterator[list[Line]]:
    """Yield lines of one size and column that follow each other at the usual distance."""
    group: list[Line] = []
    for line in lines:
        if group and not _follows(group[-1], line, pitch):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _follows(above: Line, line: Line, pitch: float) -> bool:
    if _is_same_row(above, line):
        return True
    if above.is_bold != line.is_bold or abs(above.size - line.size) > SAME_SIZE * max(above.size, line.size):
        return False
    gap = above.last_bottom - line.first_bottom
    if gap < -above.size:  # up: the next column, or elsewhere
        return not _ENDS_SENTENCE.search(above.text) and line.text[0].islower()
    is_near = gap <= max(pitch * 1.3, above.size * 1.4) + 1
    return is_near and line.left < above.right and above.left < max(line.right, line.left + 1)


def _is_same_row(above: Line, line: Line) -> bool:
    """Say whether a line goes on to the right, as after something raised."""
    return abs(above.last_bottom - line.first_bottom) < above.size / 2 and -1 < line.left - above.right < above.size


def _parts(group: list[Line]) -> Iterator[list[Line]]:
    """Yield the paragraphs of a group: list items, indented beginnings, and lines that end early."""
    part: list[Line] = []
    edge = max(line.right for line in group)
    for line in group:
        if part and _begins(part, line, edge):
            yield part
            part = []
        part.append(line)
    yield part


def _begins(part: list[Line], line: Line, edge: float) -> bool:
    """Say whether a line begins a paragraph of its own."""
    above = part[-1]
    if _is_same_row(above, line):
        return False
    is_item = bool(_BULLET.match(part[0].text))
    if _BULLET.match(line.text):
        return is_item or _ends_early(above, line, edge) or bool(_ENDS_SENTENCE.search(above.text))
    if above.last_bottom - line.first_bottom < 0:  # the next column
        return False
    indent = line.left - above.left
    if is_item and indent < -line.size / 2 and len(part) > 1:
        return True
    if not is_item and indent > line.size * 0.7 and _ENDS_SENTENCE.search(above.text):
        return True
    return _ends_early(above, line, edge)


def _ends_early(above: Line, line: Line, edge: float) -> bool:
    """Say whether the next line's first word would have fitted: then the break was meant."""
    if above.last_bottom != above.first_bottom and abs(above.last_bottom - above.first_bottom) > above.size / 2:
        width = line.size / 2  # a joined line: its right end is that of another line
    else:
        width = (above.right - above.left) / max(1, len(above.text))
    word = line.text.split(" ", 1)[0]
    return edge - above.right > (len(word) + 2) * max(width, 1.0) and not (
        word[0].islower() and not _ENDS_SENTENCE.search(above.text)
    )


def _level(group: list[Line], following: list[list[Line]], body_size: float) -> int:
    """Return a heading's level by its looks, 0 for ordinary text."""
    text = " ".join(line.text for line in group)
    if len(group) > MAX_HEADING_LINES or len(text) > MAX_HEADING_CHARS or _BULLET.fullmatch(text + " "):
        return 0
    if not any(character.isalpha() for character in text) or _NO_HEADING.search(text):
        return 0
    ratio = group[0].size / body_size if body_size else 1.0
    if ratio >= LARGER:
        return max(1, BOLD_LEVEL - 1 - round((ratio - 1) * 10))
    is_above_text = bool(following) and not following[0][0].is_bold and _is_beneath(group[-1], following[0][0])
    return BOLD_LEVEL if group[0].is_bold and ratio > 1 - SAME_SIZE and is_above_text else 0


def _is_beneath(above: Line, line: Line) -> bool:
    return 0 < above.last_bottom - line.first_bottom < 4 * above.size and line.left < above.right


def _joined(lines: list[Line]) -> str:
    """Return the lines as one text; pdfium has joined most hyphenated words already. Rows stay lines."""
    if len(lines) > 1 and 2 * sum(_is_row(line.text) for line in lines) >= len(lines):
        return "\n".join(line.text for line in lines)
    text = lines[0].text
    for line in lines[1:]:
        is_hyphenated = text.endswith("-") and text[-2:-1].islower() and line.text[0].islower()
        text = text[:-1] + line.text if is_hyphenated else f"{text}{_between(text, line.text)}{line.text}"
    return text


def _is_row(text: str) -> bool:
    """Say whether a line looks like one of a table, a form or a list of contents: a label, or several numbers."""
    return text[-1].isdigit() or bool(_LABEL.match(text)) or len(_NUMBER.findall(text)) > 2


def _between(text: str, following: str) -> str:
    """Return a blank, but nothing between scripts that are written without."""
    return "" if _is_wide(text[-1]) and _is_wide(following[0]) else " "


def _is_wide(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"
