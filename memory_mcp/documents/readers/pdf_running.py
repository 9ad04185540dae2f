"""Leaves out running headers, running footers and page numbers: lines at a page's edge that its neighbours have too."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from memory_mcp.documents.readers.pdf_layout import Line, Page

WINDOW: Final = 4
"""Pages before and after a page with which it is compared: what is held in memory."""
EDGE_LINES: Final = 3
"""Lines from the top and from the bottom that can be running ones."""
EDGE: Final = 0.2
"""Part of the page's height, at the top and at the bottom, in which they lie."""
SAME_PLACE: Final = 4.0
"""Points by which the same running line lies higher or lower on the next page, at most."""

_DIGITS: Final = re.compile(r"\d+")
_PAGE_NUMBER: Final = re.compile(r"[\W_]*(?:\d{1,5}|[ivxlc]{1,7})[\W_]*", re.IGNORECASE)
_PAGE_OF: Final = re.compile(
    r"\W*(?:page|seite|p\.|s\.|página|pagina)\s*\d+(?:\s*(?:of|von|de|/|di)\s*\d+)?\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A page with the lines that are its own, and the size of ordinary text so far."""

    page: Page
    lines: list[Line]
    body_size: float


def without_running_lines(pages: Iterator[Page]) -> Iterator[Chosen]:
    """Yield the pages in order, each when the next `WINDOW` are known."""
    window: deque[Page] = deque(maxlen=2 * WINDOW + 1)
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


def _chosen(window: deque[Page], index: int, sizes: Counter[float]) -> Chosen:
    page = window[index]
    others = [_edges(other) for number, other in enumerate(window) if number != index]
    dropped = {id(line) for key, line in _edges(page) if _is_page_number(line, page) or _is_running(key, line, others)}
    lines = [line for line in page.lines if id(line) not in dropped]
    return Chosen(page, lines, sizes.most_common(1)[0][0] if sizes else 0.0)


def _edges(page: Page) -> list[tuple[str, Line]]:
    """Return the lines at the edges with what is compared: their text with every number alike."""
    by_height = sorted(page.lines, key=lambda line: line.first_bottom)
    low = [line for line in by_height[:EDGE_LINES] if line.first_bottom < page.height * EDGE]
    high = [line for line in by_height[-EDGE_LINES:] if line.first_bottom > page.height * (1 - EDGE)]
    return [(_DIGITS.sub("#", line.text.casefold()), line) for line in {id(line): line for line in low + high}.values()]


def _is_page_number(line: Line, page: Page) -> bool:
    if _PAGE_OF.fullmatch(line.text):
        return True
    numbers = _DIGITS.findall(line.text)
    return bool(_PAGE_NUMBER.fullmatch(line.text)) and numbers == [str(page.number)]


def _is_running(key: str, line: Line, others: list[list[tuple[str, Line]]]) -> bool:
    """Say whether enough of the pages around have the line: one for a page number or beside a single page, else two."""
    number = bool(_PAGE_NUMBER.fullmatch(line.text))
    found = sum(
        any(
            abs(other.first_bottom - line.first_bottom) < SAME_PLACE
            and (other_key == key or (number and bool(_PAGE_NUMBER.fullmatch(other.text))))
            for other_key, other in edges
        )
        for edges in others
    )
    return found >= (1 if number or len(others) == 1 else 2)
