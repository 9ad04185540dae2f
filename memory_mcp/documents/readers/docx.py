"""Reads DOCX, transitional and strict, on zipfile and expat.

The libraries each lose text: python-docx text boxes, footnotes, comments, equations and what content controls hold;
mammoth text boxes, equations and the strict variant; and both read the whole document into memory. Numbers that Word
counts itself (of headings and lists) are not in the file and are left out; so are deletions and hidden text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from memory_mcp.documents.readers import ooxml
from memory_mcp.documents.readers.docx_text import Notes, WordParagraph, paragraph
from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.ooxml import PREFIXES, Package, Relation
from memory_mcp.documents.readers.tables import Table
from memory_mcp.documents.readers.xml import Element, EndTag, StartTag, events

_MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_HEADING_STYLE: Final = re.compile(r"heading (\d)", re.IGNORECASE)
_TITLE_LEVEL: Final = 1
_FIRST_LEVEL: Final = 2
"""Of "Heading 1", below the title."""
_MAX_STYLES: Final = 20
"""Styles that are based on one another."""


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read a DOCX file: paragraphs, tables, text boxes; footnotes and comments after the paragraph that has them.

    Raises:
        RefusedError: it is damaged, hostile, needs a password, or is of an older format.
    """
    with ooxml.opened(source) as package:
        yield Header(title=package.title(), media_type=_MEDIA_TYPE)
        has_text = False
        for block in _WordDocument(package).blocks():
            has_text = True
            yield block
    if not has_text:
        raise RefusedError(Refusal.EMPTY, "The document has no text. Save the text of its pictures beside it.")


class _WordDocument:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._styles = _levels(package)
        self._notes = Notes(package)
        self._relations: dict[str, Relation] = package.relations(package.document)
        self._headings = HeadingStack()

    def blocks(self) -> Iterator[TextBlock]:
        with self._package.archive.open(self._package.document) as member:
            table: Table | None = None
            for event in events(member, PREFIXES, {"w:p", "w:tr", "w:del", "w:moveFrom"}):
                match event:
                    case Element(name="w:p"):
                        yield from self._paragraph(event)
                    case StartTag(name="w:tbl"):
                        table = Table()
                    case Element(name="w:tr") if table is not None:
                        yield from self._row(event, table)
                    case EndTag(name="w:tbl") if table is not None:
                        yield from self._rows(table.close())
                        table = None
        yield from self._headings.close()

    def _paragraph(self, element: Element) -> Iterator[TextBlock]:
        """Yield a paragraph and what hangs on it; a heading is entered."""
        found = paragraph(element)
        level = self._level(element)
        if found.text and level:
            yield from self._headings.enter(level, " ".join(found.text.split()))
        elif found.text:
            yield self._headings.block(_list_mark(element) + found.text)
        yield from self._hanging(found)

    def _hanging(self, found: WordParagraph) -> Iterator[TextBlock]:
        """Yield text boxes, SmartArt, notes and comments of a paragraph."""
        for box in found.boxes:
            yield from self._flow(box)
        for drawing in found.drawings:
            for text in ooxml.diagram_texts(self._package, self._relations, drawing):
                yield self._headings.block(text)
        for text in self._notes.of(found):
            yield self._headings.block(text)

    def _flow(self, element: Element) -> Iterator[TextBlock]:
        """Yield what a text box or a table's only cell holds."""
        for child in element.elements():
            if child.name == "w:p":
                yield from self._paragraph(child)
            elif child.name == "w:tbl":
                table = Table()
                for row in child.elements("w:tr"):
                    yield from self._row(row, table)
                yield from self._rows(table.close())
            elif child.name not in {"w:del", "w:moveFrom"}:
                yield from self._flow(child)

    def _row(self, row: Element, table: Table) -> Iterator[TextBlock]:
        """Yield what a table's row completes; a table of one cell a row is a frame around ordinary text."""
        if row.find("w:trPr", "w:del") is not None:
            return
        cells = list(_within(row, "w:tc"))
        if len(cells) == 1 and table.is_empty:
            yield from self._flow(cells[0])
            return
        found = [[paragraph(element) for element in _within(cell, "w:p")] for cell in cells]
        texts = [" ".join(item.text for item in items if item.text) for items in found]
        is_header = row.find("w:trPr", "w:tblHeader") is not None
        yield from self._rows(table.add(texts, is_header=is_header))
        for item in chain.from_iterable(found):
            yield from self._hanging(item)

    def _rows(self, rows: Iterator[tuple[str, str]]) -> Iterator[TextBlock]:
        for text, repeated in rows:
            yield self._headings.block(text, repeated=repeated)

    def _level(self, element: Element) -> int:
        """Return a paragraph's level as a heading, 0 for ordinary text."""
        own = element.find("w:pPr", "w:outlineLvl")
        if own is not None:
            return _outline_level(own)
        style = element.find("w:pPr", "w:pStyle")
        return self._styles.get(style.get("w:val"), 0) if style is not None else 0


def _within(element: Element, name: str) -> Iterator[Element]:
    """Yield the outermost elements of a name that were not deleted."""
    for child in element.elements():
        if child.name == name:
            yield child
        elif child.name not in {"w:del", "w:moveFrom"}:
            yield from _within(child, name)


def _list_mark(element: Element) -> str:
    numbered = element.find("w:pPr", "w:numPr")
    if numbered is None:
        return ""
    level = numbered.find("w:ilvl")
    depth = level.get("w:val") if level is not None else "0"
    return "  " * (int(depth) if depth in "012345678" and depth else 0) + "- "


def _levels(package: Package) -> dict[str, int]:
    """Return the heading levels of the styles that have one, by the styles' ids."""
    part = package.part_of("styles")
    if part is None:
        return {}
    styles = {style.get("w:styleId"): style for style in package.tree(part).elements("w:style")}
    return {name: level for name in styles if (level := _style_level(name, styles))}


def _style_level(name: str, styles: dict[str, Element]) -> int:
    """Return a style's level: its own, by its name, or that of the style on which it is based."""
    for _ in range(_MAX_STYLES):
        style = styles.get(name)
        if style is None:
            return 0
        outline = style.find("w:pPr", "w:outlineLvl")
        if outline is not None:
            return _outline_level(outline)
        title = _value(style, "w:name").casefold()
        if title == "title":
            return _TITLE_LEVEL
        if match := _HEADING_STYLE.fullmatch(title):
            return _FIRST_LEVEL - 1 + int(match[1])
        name = _value(style, "w:basedOn")
    return 0


def _value(element: Element, child: str) -> str:
    found = element.find(child)
    return found.get("w:val") if found is not None else ""


def _outline_level(element: Element) -> int:
    """Return the level of `w:outlineLvl`: 0 to 8 are headings, 9 is ordinary text."""
    value = element.get("w:val")
    return _FIRST_LEVEL + int(value) if value in set("012345678") else 0
