"""EPUB: the chapters in the book's order."""

from __future__ import annotations

import io
import zipfile

from memory_mcp.documents.readers.model import Refusal
from tests.front.documents.reading import refused, told

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>The Sea</dc:title></metadata><manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="p" href="a.png" media-type="image/png"/></manifest>
<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="p"/><itemref idref="b"/><itemref idref="x"/></spine>
</package>"""
PAGE = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'


def _book(**more: str) -> bytes:
    file = io.BytesIO()
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/nav.xhtml": PAGE.format("<p>Contents</p>"),
        "OEBPS/text/one.xhtml": PAGE.format("<h1>One</h1><p>Grüße.</p>"),
        "OEBPS/text/two b.xhtml": PAGE.format("<p>Still one.</p><h1>Two</h1><p>Bye.</p>"),
        **more,
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_book() -> None:
    """Chapters come in the order of the spine, without the table of contents; a heading goes on over files."""
    book = told(_book(), "sea.epub")
    assert book.headers[0].title == "The Sea"
    assert [(block.text, block.heading) for block in book.blocks] == [
        ("Grüße.", ("One",)),
        ("Still one.", ("One",)),
        ("Bye.", ("Two",)),
    ]


def test_protected() -> None:
    """A book with encrypted chapters is refused, one with encrypted fonts is read."""
    encryption = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
      xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>
      <enc:CipherReference URI="{}"/></enc:CipherData></enc:EncryptedData></encryption>"""
    assert refused(_book(**{"META-INF/encryption.xml": encryption.format("OEBPS/text/one.xhtml")})) is Refusal.ENCRYPTED
    assert told(_book(**{"META-INF/encryption.xml": encryption.format("OEBPS/a.otf")})).texts


def test_damaged() -> None:
    """A book that does not say where its chapters are, or is cut off, is damaged."""
    assert refused(_book(**{"META-INF/container.xml": "<container/>"})) is Refusal.DAMAGED
    assert refused(_book(**{"OEBPS/book.opf": "<package"})) is Refusal.DAMAGED
    assert refused(_book()[:900]) is Refusal.DAMAGED
    bomb = '<!DOCTYPE p [<!ENTITY a "aaaa">]><package>&a;</package>'
    assert refused(_book(**{"OEBPS/book.opf": bomb})) is Refusal.ENTITIES
