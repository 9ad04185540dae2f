"""Leaves out running headers, running footers and page numbers: lines at a page's edge that its neighbours have too."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from memory_mcp.documents.readers.pdf_layout import Line, PdfPage

WINDOW: Final = 4
"""Pages before and after a page with which it is compared: what is held in memory."""
EDGE_LINES: Final = 3
"""Lines from the top and from the bottom that can be running ones."""
EDGE: Final = 0.2
"""Part of the page's height, at the top and at the bottom, in which they lie."""
SAME_PLACE: Final = 4.0
"""Points by which the same running line lies higher or lower on the next page, at most."""

APART: Final = 1.7
"""Sizes of a line by which running lines are from the text, at least; lines of a text are 1 to 1.5 from each other."""
MAX_OFFSET: Final = 50
"""By how much a printed page number differs from the page's place in the file; other numbers are not the pages'."""

_DIGITS: Final = re.compile(r"[0-9]+")
_PAGE_NUMBER: Final = re.compile(r"[\W_]*[0-9]{1,5}[\W_]*")
_ROMAN_NUMBER: Final = re.compile(r"[\W_]*[ivxlc]{1,7}[\W_]*", re.IGNORECASE)
_PAGE_OF: Final = re.compile(
    r"\W*(?:page|seite|p\.|s\.|página|pagina)\s*[0-9]+(?:\s*(?:of|von|de|/|di)\s*[0-9]+)?\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A page with the lines that are its own, and the size of ordinary text so far."""

    page: PdfPage
    lines: list[Line]
    body_size: float


def without_running_lines(pages: Iterator[PdfPage]) -> Iterator[Chosen]:
    """Yield the pages in order, each when the next `WINDOW` are known."""
    window: deque[PdfPage] = deque(maxlen=2 * WINDOW + 1)
    sizes: Counter[float] = Counter()
    ahead = 0
    for page in pages:
        window.append(page)
        for line in page.lines:
            sizes[round(line.size, 1)] += len(line.text)
        ahead += 1
        if ahead > WINDOW:
            ahead -= 1
            yield _chosen(window, len(window) - 1 - WINDOW, sizes)
    for index in range(len(window) - ahead, len(window)):
        yield _chosen(window, index, sizes)


@dataclass(frozen=True, slots=True)
class _EdgeLine:
    line: Line
    key: str
    """Its text with every number alike."""
    numbers: tuple[int, ...]
    offsets: tuple[int, ...]
    """The numbers less the page's."""


def _chosen(window: deque[PdfPage], index: int, sizes: Counter[float]) -> Chosen:
    page = window[index]
    others = [_edges(other) for number, other in enumerate(window) if number != index]
    running = {id(edge.line) for edge in _edges(page) if _is_running(edge, others)}
    by_height = sorted(page.lines, key=lambda line: line.first_bottom)
    dropped = _apart(by_height, running) | _apart(by_height[::-1], running)
    lines = [line for line in page.lines if id(line) not in dropped and not _is_page_number(line, page)]
    return Chosen(page, lines, sizes.most_common(1)[0][0] if sizes else 0.0)


def _apart(lines: list[Line], running: set[int]) -> set[int]:
    """Return those of the running lines, from an edge on, that lie apart from the text: pages may begin alike."""
    outer: list[Line] = []
    apart: set[int] = set()
    for line in lines:
        if outer and abs(line.first_bottom - outer[-1].first_bottom) > APART * min(line.size, outer[-1].size):
            apart |= {id(item) for item in outer}
        if id(line) not in running:
            break
        outer.append(line)
    return apart


def _edges(page: PdfPage) -> list[_EdgeLine]:
    """Return the lines at the page's edges."""
    by_height = sorted(page.lines, key=lambda line: line.first_bottom)
    low = [line for line in by_height[:EDGE_LINES] if line.first_bottom < page.height * EDGE]
    high = [line for line in by_height[-EDGE_LINES:] if line.first_bottom > page.height * (1 - EDGE)]
    return [_edge_line(line, page.number) for line in {id(line): line for line in low + high}.values()]


def _edge_line(line: Line, page: int) -> _EdgeLine:
    numbers = tuple(int(digits[:9]) for digits in _DIGITS.findall(line.text))
    key = _DIGITS.sub("#", line.text.casefold())
    return _EdgeLine(line, key, numbers, tuple(number - page for number in numbers))


def _is_page_number(line: Line, page: PdfPage) -> bool:
    if page.height * EDGE < line.first_bottom < page.height * (1 - EDGE):
        return False
    if _PAGE_OF.fullmatch(line.text):
        return True
    return bool(_PAGE_NUMBER.fullmatch(line.text)) and _DIGITS.findall(line.text) == [str(page.number)]


def _is_running(edge: _EdgeLine, others: list[list[_EdgeLine]]) -> bool:
    """Say whether enough of the pages around have the line: one for a page number or beside a single page, else two."""
    is_number = bool(_PAGE_NUMBER.fullmatch(edge.line.text) or _ROMAN_NUMBER.fullmatch(edge.line.text))
    found = sum(any(_is_same(edge, other) for other in edges) for edges in others)
    return found >= (1 if is_number or len(others) == 1 else 2)


def _is_same(edge: _EdgeLine, other: _EdgeLine) -> bool:
    """Say whether two pages have the same line at the same place; numbers are the same, or count the pages."""
    if abs(edge.line.first_bottom - other.line.first_bottom) >= SAME_PLACE:
        return False
    if edge.key != other.key:
        return bool(_ROMAN_NUMBER.fullmatch(edge.line.text) and _ROMAN_NUMBER.fullmatch(other.line.text))
    return all(
        number == other_number or (offset == other_offset and abs(offset) <= MAX_OFFSET)
        for number, other_number, offset, other_offset in zip(
            edge.numbers, other.numbers, edge.offsets, other.offsets, strict=True
        )
    )
