"""Reads EPUB: the chapters in the book's order, as HTML."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from memory_mcp.documents.readers import html, xml, zipped
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.outline import TextOutline
from memory_mcp.documents.readers.plain import empty, one_line

MAX_CHAPTERS: Final = 5_000

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
_PREFIXES: Final = {
    "urn:oasis:names:tc:opendocument:xmlns:container": "",
    "http://www.idpf.org/2007/opf": "",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://www.w3.org/2001/04/xmlenc#": "enc",
}
_PAGES: Final = (".xhtml", ".html", ".htm", ".xml")


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with zipped.opened(source.file) as archive:
        _check_readable(archive)
        package_name = _package_name(archive)
        package = _tree(archive, package_name)
        outline = TextOutline()
        blocks = _blocks(archive, _chapters(package, posixpath.dirname(package_name)), outline)
        first = next(blocks, None)
        if first is None:
            raise empty()
        titled = package.find("metadata", "dc:title")
        title = one_line(titled.text()) if titled is not None else ""
        yield Header(title=title or outline.first, media_type="application/epub+zip")
        yield first
        yield from blocks


def _tree(archive: zipped.Archive, name: str) -> xml.Element:
    with archive.open(name) as member:
        return xml.tree(member, _PREFIXES)


def _check_readable(archive: zipped.Archive) -> None:
    """Refuse a book whose chapters are encrypted; its fonts may be."""
    if _ENCRYPTION not in archive:
        return
    references = _tree(archive, _ENCRYPTION).walk("enc:CipherReference")
    if any(reference.get("URI").lower().endswith(_PAGES) for reference in references):
        raise RefusedError(
            Refusal.ENCRYPTED, "The book is copy-protected, which no reader can open. Get it without the protection."
        )


def _package_name(archive: zipped.Archive) -> str:
    for root_file in _tree(archive, _CONTAINER).walk("rootfile"):
        if root_file.get("full-path"):
            return root_file.get("full-path")
    raise RefusedError(
        Refusal.DAMAGED, "The book is damaged: it does not say where its chapters are. Get it once more."
    )


def _chapters(package: xml.Element, folder: str) -> Iterator[str]:
    """Yield the names of the chapters in order; the table of contents is none."""
    items = {item.get("id"): item for item in package.walk("item")}
    for count, reference in enumerate(package.walk("itemref")):
        item = items.get(reference.get("idref"))
        if item is None or count >= MAX_CHAPTERS or "nav" in item.get("properties").split():
            continue
        if "html" in item.get("media-type") or item.get("href").lower().endswith(_PAGES):
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href"))))


def _blocks(archive: zipped.Archive, chapters: Iterator[str], outline: TextOutline) -> Iterator[TextBlock]:
    for name in chapters:
        if name in archive:
            yield from html.part_of(html.parsed(html.decoded(archive.read(name))), outline)
    yield from outline.end()
