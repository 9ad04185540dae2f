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
    """Takes rows in order and gives them back with their header: the rows that are marked as such, else the first.

    A row with a single filled cell is no header, but a title above it.
    """

    def __init__(self) -> None:
        self._header: list[str] = []
        self._is_waiting = False
        """Whether no row has come beneath the header."""
        self.is_empty = True

    def add(self, cells: Sequence[str], *, is_header: bool = False) -> Iterator[tuple[str, str]]:
        """Take a row; yield rows as text, each with its header ("" for none)."""
        text = row_text(cells)
        if not text:
            return
        self.is_empty = False
        if self._goes_on_header(is_header=is_header) and len(text) <= MAX_HEADER_CHARS and sum(map(bool, cells)) > 1:
            self._header.append(text)
            self._is_waiting = True
        else:
            self._is_waiting = False
            yield text, "\n".join(self._header)

    def _goes_on_header(self, *, is_header: bool) -> bool:
        return not self._header or (is_header and self._is_waiting)

    def close(self) -> Iterator[tuple[str, str]]:
        """End the table: yield a header that has no rows, and begin anew."""
        if self._is_waiting:
            yield from ((text, "") for text in self._header)
        self._header, self._is_waiting, self.is_empty = [], False, True
