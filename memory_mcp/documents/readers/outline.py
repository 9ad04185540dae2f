"""The headings above what is read from text that may be anything: they and the blocks are cleaned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import TextBlock
from memory_mcp.documents.readers.plain import MAX_HEADING, cut, one_line, plain

_ANCHORS: Final = " ¶§\uf0c1\u200b"
"""The signs with which generated pages link a heading to itself."""


class TextOutline:
    """The headings above the next block. Text comes as it is in the file; what is blank is left out."""

    def __init__(self) -> None:
        self.first: str | None = None
        """The first heading, a title where there is no other."""
        self._headings = HeadingStack()

    def heading(self, level: int, text: str) -> Iterator[TextBlock]:
        """Begin a heading; 1 is the outermost. Yields those before it that nothing stood beneath."""
        text = one_line(text).removesuffix(" #").rstrip(_ANCHORS)
        text = cut(text[1:] if text[:1] == "§" and text[1:2].isalpha() else text, MAX_HEADING)
        if text:
            self.first = self.first or text
            yield from self._headings.enter(level, text)

    def block(self, text: str, repeated: str = "") -> Iterator[TextBlock]:
        """Yield a block under the headings."""
        text = plain(text)
        if text.strip():
            yield self._headings.block(text, repeated=repeated)

    def end(self) -> Iterator[TextBlock]:
        """Yield the headings that nothing stood beneath, at the end of the document."""
        yield from self._headings.close()
