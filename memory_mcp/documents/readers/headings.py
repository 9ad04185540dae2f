"""Keeps the headings above what is being read, so that none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memory_mcp.documents.readers.model import TextBlock


@dataclass(slots=True)
class _Heading:
    level: int
    text: str
    page: int | None
    has_block: bool = False


class HeadingStack:
    """The headings above the next block. A heading that no block follows becomes a block under itself."""

    def __init__(self) -> None:
        self._headings: list[_Heading] = []

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(heading.text for heading in self._headings)

    def enter(self, level: int, text: str, page: int | None = None) -> Iterator[TextBlock]:
        """Put a heading on top, in place of those of its level and deeper ones (1 is the outermost).

        Yields a block for each of these that had none.
        """
        yield from self._leave(level)
        self._headings.append(_Heading(level, text, page))

    def block(self, text: str, page: int | None = None, repeated: str = "") -> TextBlock:
        """Return a block beneath the headings."""
        for heading in self._headings:
            heading.has_block = True
        return TextBlock(text, heading=self.path, page=page, repeated=repeated)

    def close(self) -> Iterator[TextBlock]:
        """Leave all headings, at the end of the document."""
        yield from self._leave(0)

    def _leave(self, level: int) -> Iterator[TextBlock]:
        while self._headings and self._headings[-1].level >= level:
            heading = self._headings[-1]
            if not heading.has_block:
                yield self.block(heading.text, heading.page)
            self._headings.pop()
