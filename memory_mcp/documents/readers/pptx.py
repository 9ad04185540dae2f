"""Reads PPTX on zipfile and expat: python-pptx loses SmartArt, equations and comments, and wants lxml and Pillow.

A slide is a page and its title a heading; then come the shapes in their order, tables by rows, and the notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memory_mcp.documents.readers import ooxml
from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.ooxml import Package, Relation, drawing_text, shown
from memory_mcp.documents.readers.tables import Table
from memory_mcp.documents.readers.xml import Element

MAX_SLIDES: Final = 5_000

_MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_TITLES: Final = {"title", "ctrTitle"}
_LEFT_OUT: Final = {"sldNum", "dt", "ftr", "hdr", "sldImg"}
"""Placeholders that say the same on each slide."""


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read a PPTX file slide by slide.

    Raises:
        RefusedError: it is damaged, hostile, needs a password, or is of an older format.
    """
    with ooxml.opened(source) as package:
        slides = _slides(package)
        yield Header(title=package.title(), media_type=_MEDIA_TYPE, pages=len(slides))
        headings = HeadingStack()
        has_text = False
        for number, part in enumerate(slides, start=1):
            for block in _Slide(package, part, number, headings).blocks():
                has_text = True
                yield block
    if not has_text:
        raise RefusedError(Refusal.EMPTY, "The presentation has no text. Save the text of its pictures beside it.")


def _slides(package: Package) -> list[str]:
    """Return the slides' parts in the order in which they are shown."""
    relations = package.relations(package.document)
    ids = [item.get("r:id") for item in package.tree(package.document).walk("p:sldId")]
    parts = [relations[key].target for key in ids if key in relations and relations[key].target in package.archive]
    if len(parts) > MAX_SLIDES:
        raise RefusedError(
            Refusal.TOO_LARGE, f"The presentation has more than {MAX_SLIDES:,} slides. Split it into several files."
        )
    return parts


class _Slide:
    def __init__(self, package: Package, part: str, number: int, headings: HeadingStack) -> None:
        self._package = package
        self._part = part
        self._number = number
        self._headings = headings
        self._relations: dict[str, Relation] = package.relations(part)

    def blocks(self) -> Iterator[TextBlock]:
        slide = self._package.tree(self._part)
        shapes = list(_shapes(slide.find("p:cSld", "p:spTree") or slide))
        title = next((shape for shape in shapes if _placeholder(shape) in _TITLES and _lines(shape)), None)
        if title is not None:
            yield from self._headings.enter(1, " ".join(" ".join(_lines(title)).split()), self._number)
        else:
            yield from self._headings.close()
        for shape in shapes:
            if shape is not title and _placeholder(shape) not in _LEFT_OUT:
                yield from self._shape(shape)
        yield from self._beside("notesSlide", "Notes")
        yield from self._beside("comments", "Comment")
        yield from self._headings.close()

    def _shape(self, shape: Element) -> Iterator[TextBlock]:
        if shape.name == "p:graphicFrame":
            for element in shape.walk("a:tbl"):
                yield from self._table(element)
            for text in ooxml.diagram_texts(self._package, self._relations, shape):
                yield self._block(text)
        for line in _lines(shape):
            yield self._block(line)

    def _table(self, element: Element) -> Iterator[TextBlock]:
        table = Table()
        for row in element.elements("a:tr"):
            cells = [" ".join(filter(None, map(drawing_text, cell.walk("a:p")))) for cell in row.elements("a:tc")]
            for text, repeated in table.add(cells):
                yield self._block(text, repeated)
        for text, repeated in table.close():
            yield self._block(text, repeated)

    def _beside(self, kind: str, label: str) -> Iterator[TextBlock]:
        """Yield the notes of the slide, or its comments."""
        for relation in self._relations.values():
            if relation.kind != kind or relation.target not in self._package.archive:
                continue
            part = self._package.tree(relation.target)
            if kind == "comments":
                texts = [text.text().strip() for text in part.walk("p:text")]
            else:
                shapes = [shape for shape in _shapes(part) if _placeholder(shape) not in _LEFT_OUT]
                texts = ["\n".join(line for shape in shapes for line in _lines(shape))]
            for text in filter(None, texts):
                yield self._block(f"{label}: {text}")

    def _block(self, text: str, repeated: str = "") -> TextBlock:
        return self._headings.block(text, self._number, repeated)


def _shapes(element: Element) -> Iterator[Element]:
    """Yield shapes and frames in order, those of groups too."""
    for child in shown(element):
        if isinstance(child, str):
            continue
        if child.name in {"p:sp", "p:cxnSp", "p:graphicFrame"}:
            yield child
        else:
            yield from _shapes(child)


def _placeholder(shape: Element) -> str:
    found = shape.find("p:nvSpPr", "p:nvPr", "p:ph")
    return found.get("type") if found is not None else ""


def _lines(shape: Element) -> list[str]:
    """Return the paragraphs of a shape, indented as deep as they are listed."""
    body = shape.find("p:txBody")
    if body is None:
        return []
    found = []
    for paragraph in body.elements("a:p"):
        properties = paragraph.find("a:pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        if text := drawing_text(paragraph):
            found.append("  " * (int(level) if level in set("012345678") else 0) + text)
    return found
