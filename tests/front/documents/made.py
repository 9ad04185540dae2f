"""Makes small files of binary formats, and reads them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape

from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
STRICT = "http://purl.oclc.org/ooxml/officeDocument"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MATH = f"{OFFICE}/math"
PREAMBLE = "".join(
    f' xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "w": WORD,
        "m": MATH,
        "r": f"{OFFICE}/relationships",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "v": "urn:schemas-microsoft-com:vml",
    }.items()
)
OPEN_DOCUMENT = "".join(
    f' xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
    for prefix, uri in {"office": "office", "text": "text", "table": "table", "draw": "drawing"}.items()
)


@dataclass(frozen=True)
class Read:
    """What a reader yielded."""

    header: Header
    blocks: list[TextBlock]

    @property
    def texts(self) -> list[str]:
        return [block.text for block in self.blocks]

    @property
    def headings(self) -> list[str]:
        """Every heading once, in order."""
        return list(dict.fromkeys(heading for block in self.blocks for heading in block.heading))

    def page_of(self, text: str) -> int | None:
        return next(block.page for block in self.blocks if text in block.text)


def whole(reader: Callable[[DocumentSource], Iterator[DocumentItem]], content: bytes) -> Read:
    """Read a file with one reader; there is one header, and it comes first."""
    header, *blocks = reader(DocumentSource(io.BytesIO(content), "file"))
    assert isinstance(header, Header)
    return Read(header, [block for block in blocks if isinstance(block, TextBlock)])


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def ole2(*names: str, following: int = 0xFFFFFFFE, more: int = 0xFFFFFFFE) -> bytes:
    """Return an OLE2 container of streams without content.

    `following` is the sector on which its directory goes on, `more` that of the list of its tables.
    """
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(30, b"\0") + struct.pack(
        "<H12x8I109I", 9, 1, 1, 0, 4096, 0xFFFFFFFE, 0, more, 0, 0, *[0xFFFFFFFF] * 108
    )
    table = struct.pack("<128I", 0xFFFFFFFD, following, *[0xFFFFFFFF] * 125, more)
    entries = [struct.pack("<64sH50xI8x", name.encode("utf-16-le"), 2 * len(name) + 2, 0xFFFFFFFE) for name in names]
    return header + table + b"".join(entries).ljust(512, b"\0")


def relations(targets: Iterable[tuple[str, str]], base: str = OFFICE) -> str:
    """Return a part that relates to others: pairs of kind and target; the ids are r1, r2 and so on."""
    items = "".join(
        f'<Relationship Id="r{number}" Type="{base}/relationships/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{items}</Relationships>'
    )


def docx(body: str, beside: Mapping[str, str] | None = None, *, strict: bool = False) -> bytes:
    """Return a DOCX file; `beside` are its other parts by kind ("styles", "footnotes")."""
    beside = beside or {}
    base = STRICT if strict else OFFICE
    preamble = PREAMBLE.replace(WORD, "http://purl.oclc.org/ooxml/wordprocessingml/main") if strict else PREAMBLE
    parts = {f"word/{kind}.xml": f"<w:{kind}{preamble}>{content}</w:{kind}>" for kind, content in beside.items()}
    return archive(
        {
            "_rels/.rels": relations([("officeDocument", "word/document.xml")], base),
            "word/document.xml": f"<w:document{preamble}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(((kind, f"{kind}.xml") for kind in beside), base),
            **parts,
        }
    )


def p(text: str, properties: str = "", more: str = "") -> str:
    """Return a paragraph of a DOCX file."""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{escape(text)}</w:t></w:r>{more}</w:p>"


def table(rows: Iterable[Iterable[str]]) -> str:
    """Return a table of a DOCX file, whose cells hold paragraphs."""
    made = ("".join(f"<w:tc>{cell}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in made) + "</w:tbl>"


def odt(body: str, manifest: str = "") -> bytes:
    """Return an ODT file."""
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content{OPEN_DOCUMENT}><office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>",
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest'
            f':1.0">{manifest}</manifest:manifest>',
        }
    )


def xlsx(sheets: Mapping[str, str]) -> bytes:
    """Return an XLSX file: the rows of each sheet as XML."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    named = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>' for number, name in enumerate(sheets, start=1)
    )
    parts = [f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    return archive(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{OFFICE}/relationships">'
            f"<sheets>{named}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(("worksheet", part) for part in parts),
            **{
                f"xl/{part}": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
                for part, rows in zip(parts, sheets.values(), strict=True)
            },
        }
    )


def row(number: int, cells: Mapping[str, str | float]) -> str:
    """Return a row of a sheet, by columns."""

    def cell(column: str, value: str | float) -> str:
        place = f'r="{column}{number}"'
        if isinstance(value, str):
            return f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f"<c {place}><v>{value}</v></c>"

    return f'<row r="{number}">' + "".join(cell(column, value) for column, value in cells.items()) + "</row>"


class Text(NamedTuple):
    """A line on a page of a PDF; lengths are points, from the left and from the bottom of 600 by 800."""

    x: float
    y: float
    text: str
    size: float = 10
    bold: bool = False


def pdf(pages: Sequence[Sequence[Text]], outline: Sequence[tuple[str, int]] = (), title: str = "") -> bytes:
    """Return a PDF file; `outline` are titles with their page, from 1."""
    objects: list[bytes] = [b""] * (5 + 2 * len(pages) + len(outline))
    page_ids = [6 + 2 * number for number in range(len(pages))]
    entry_ids = [6 + 2 * len(pages) + number for number in range(len(outline))]
    objects[0] = b"<</Type/Catalog/Pages 2 0 R/Outlines 5 0 R>>"
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(b"%d 0 R" % i for i in page_ids), len(pages))
    objects[2] = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    objects[3] = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>"
    objects[4] = b"<</Count %d" % len(outline)
    if entry_ids:
        objects[4] += b"/First %d 0 R/Last %d 0 R" % (entry_ids[0], entry_ids[-1])
    objects[4] += b"/Title(%s)>>" % title.encode("cp1252")
    for number, lines in enumerate(pages):
        stream = b"".join(
            b"BT /F%d %g Tf %g %g Td (%s) Tj ET\n"
            % (2 if line.bold else 1, line.size, line.x, line.y, line.text.encode("cp1252").translate(None, b"()\\"))
            for line in lines
        )
        objects[page_ids[number] - 1] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>"
            b"/Contents %d 0 R>>" % (page_ids[number] + 1)
        )
        objects[page_ids[number]] = b"<</Length %d>>stream\n%sendstream" % (len(stream), stream)
    for number, (entry, page) in enumerate(outline):
        following = b"/Next %d 0 R" % entry_ids[number + 1] if number + 1 < len(entry_ids) else b""
        objects[entry_ids[number] - 1] = b"<</Title(%s)/Parent 5 0 R/Dest[%d 0 R/XYZ 0 800 0]%s>>" % (
            entry.encode("cp1252"),
            page_ids[page - 1],
            following,
        )
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """Return a PDF file of these objects; the first is its catalog, the fifth has its title."""
    made = b"%PDF-1.7\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table_at = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return made + b"trailer<</Size %d/Root 1 0 R/Info 5 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table_at)
