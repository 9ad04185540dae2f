"""Reads ODT on zipfile and expat: odfpy builds a tree of the whole document, and expands entities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memory_mcp.documents.readers import zipped
from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.tables import Table
from memory_mcp.documents.readers.xml import Element, EndTag, StartTag, events, tree

MAX_BLANKS: Final = 100
"""Blanks and cells that one element stands for."""

_MEDIA_TYPE: Final = "application/vnd.oasis.opendocument.text"
_OASIS: Final = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES: Final = {
    f"{_OASIS}office:1.0": "office",
    f"{_OASIS}text:1.0": "text",
    f"{_OASIS}table:1.0": "table",
    f"{_OASIS}drawing:1.0": "draw",
    f"{_OASIS}manifest:1.0": "manifest",
    "http://purl.org/dc/elements/1.1/": "dc",
}
_LEFT_OUT: Final = {"text:tracked-changes", "office:forms", "text:sequence-decls", "text:variable-decls"}
_WHOLE: Final = {"text:p", "text:h", "table:table-row", *_LEFT_OUT}


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read an ODT file: paragraphs, lists, tables, text boxes; notes and comments after the paragraph that has them.

    Raises:
        RefusedError: it is damaged, hostile, or needs a password.
    """
    with zipped.opened(source.file) as archive:
        if _is_encrypted(archive):
            raise RefusedError(Refusal.PASSWORD_NEEDED, "The file needs a password. Save a copy without one.")
        yield Header(title=_title(archive), media_type=_MEDIA_TYPE)
        has_text = False
        for block in _TextDocument(archive).blocks():
            has_text = True
            yield block
    if not has_text:
        raise RefusedError(Refusal.EMPTY, "The document has no text. Save the text of its pictures beside it.")


def _is_encrypted(archive: zipped.Archive) -> bool:
    if "META-INF/manifest.xml" not in archive:
        return False
    with archive.open("META-INF/manifest.xml") as member:
        return next(tree(member, _PREFIXES).walk("manifest:encryption-data"), None) is not None


def _title(archive: zipped.Archive) -> str | None:
    if "meta.xml" not in archive:
        return None
    with archive.open("meta.xml") as member:
        title = next(tree(member, _PREFIXES).walk("dc:title"), None)
    return " ".join(title.text().split()) or None if title is not None else None


class _TextDocument:
    def __init__(self, archive: zipped.Archive) -> None:
        self._archive = archive
        self._headings = HeadingStack()
        self._lists = 0
        """How deep in lists."""
        self._table = Table()
        self._is_header = False

    def blocks(self) -> Iterator[TextBlock]:
        with self._archive.open("content.xml") as member:
            for event in events(member, _PREFIXES, _WHOLE):
                match event:
                    case Element():
                        yield from self._element(event)
                    case StartTag(name):
                        self._open(name, 1)
                    case EndTag("table:table"):
                        yield from self._rows(self._table.close())
                    case EndTag(name):
                        self._open(name, -1)
        yield from self._headings.close()

    def _open(self, name: str, step: int) -> None:
        if name == "text:list":
            self._lists += step
        elif name == "table:table-header-rows":
            self._is_header = step > 0

    def _element(self, element: Element) -> Iterator[TextBlock]:
        """Yield a paragraph, a heading or a row, or what else holds them."""
        match element.name:
            case "text:p" | "text:h":
                yield from self._paragraph(element)
            case "table:table-row":
                yield from self._row(element)
            case "text:list":
                self._lists += 1
                yield from self._flow(element)
                self._lists -= 1
            case name if name not in _LEFT_OUT:
                yield from self._flow(element)

    def _flow(self, element: Element) -> Iterator[TextBlock]:
        for child in element.elements():
            yield from self._element(child)

    def _paragraph(self, element: Element) -> Iterator[TextBlock]:
        hanging: list[Element] = []
        text = _text(element, hanging).strip()
        if text and element.name == "text:h":
            level = element.get("text:outline-level", "1")
            yield from self._headings.enter(int(level) if level in set("123456789") else 1, " ".join(text.split()))
        elif text:
            yield self._headings.block(f"{'  ' * (self._lists - 1)}- {text}" if self._lists else text)
        yield from self._hanging(hanging)

    def _hanging(self, hanging: list[Element]) -> Iterator[TextBlock]:
        """Yield text boxes as what they hold, and notes and comments with what they are."""
        for element in hanging:
            if element.name == "draw:text-box":
                yield from self._flow(element)
                continue
            lines = [_text(item, []).strip() for item in _within(element, "text:p")]
            text = "\n".join(line for line in lines if line)
            if text:
                yield self._headings.block(f"{_label(element)}: {text}")

    def _row(self, row: Element) -> Iterator[TextBlock]:
        """Yield what a table's row completes; a table of one cell a row is a frame around ordinary text."""
        cells = list(row.elements("table:table-cell", "table:covered-table-cell"))
        if len(cells) == 1 and self._table.is_empty:
            yield from self._flow(cells[0])
            return
        texts = []
        hanging: list[Element] = []
        for cell in cells:
            text = " ".join(filter(None, (_text(item, hanging).strip() for item in _within(cell, "text:p", "text:h"))))
            repeats = cell.get("table:number-columns-repeated", "1")
            texts += [text] * min(int(repeats) if repeats.isdecimal() else 1, MAX_BLANKS)
        yield from self._rows(self._table.add(texts, is_header=self._is_header))
        yield from self._hanging(hanging)

    def _rows(self, rows: Iterator[tuple[str, str]]) -> Iterator[TextBlock]:
        for text, repeated in rows:
            yield self._headings.block(text, repeated=repeated)


def _text(element: Element, hanging: list[Element]) -> str:
    """Return a paragraph's text; adds what hangs on it."""
    parts = []
    for child in element.children:
        if isinstance(child, str):
            parts.append(" ".join(child.split("\n")))
        elif child.name == "text:s":
            count = child.get("text:c", "1")
            parts.append(" " * min(int(count) if count.isdecimal() else 1, MAX_BLANKS))
        elif child.name in {"text:tab", "text:line-break"}:
            parts.append("\t" if child.name == "text:tab" else "\n")
        elif child.name in {"text:note", "office:annotation", "draw:text-box"}:
            hanging.append(child)
        else:
            parts.append(_text(child, hanging))
    return "".join(parts)


def _within(element: Element, *names: str) -> Iterator[Element]:
    """Yield the outermost elements of these names."""
    for child in element.elements():
        if child.name in names:
            yield child
        else:
            yield from _within(child, *names)


def _label(element: Element) -> str:
    if element.name == "text:note":
        return "Endnote" if element.get("text:note-class") == "endnote" else "Footnote"
    author = element.find("dc:creator")
    return f"Comment by {author.text()}" if author is not None else "Comment"
