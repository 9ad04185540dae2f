"""Rows of tables as text, with the header row that is repeated above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

MAX_HEADER_CHARS: Final = 1_000
"""A longer first row is no header: it would fill each section."""


def row_text(cells: Sequence[str]) -> str:
    """Return a row on a line: cells between bars, empty ones at the end left out."""
    texts = [" ".join(cell.split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts) if any(texts) else ""


class Table:
    """Takes rows in order and gives them back with their header: the rows that are marked as such, else the first."""

    def __init__(self) -> None:
        self._header: list[str] = []
        self._waiting: list[str] = []
        """The header, as long as no row has come beneath it."""
        self._has_rows = False

    @property
    def is_empty(self) -> bool:
        return not (self._header or self._has_rows)

    def add(self, cells: Sequence[str], *, is_header: bool = False) -> Iterator[tuple[str, str]]:
        """Take a row; yield rows as text, each with its header ("" for none)."""
        text = row_text(cells)
        if not text:
            return
        if not self._has_rows and (is_header or not self._header) and len(text) <= MAX_HEADER_CHARS and len(cells) > 1:
            self._header.append(text)
            self._waiting.append(text)
            return
        self._has_rows = True
        self._waiting.clear()
        yield text, "\n".join(self._header)

    def close(self) -> Iterator[tuple[str, str]]:
        """End the table: yield what is left, and begin anew."""
        for text in self._waiting:
            yield text, ""
        self._header, self._waiting, self._has_rows = [], [], False
