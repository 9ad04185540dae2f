"""Reading workbooks: a heading a sheet, rows below their header, and no grid of gigabytes."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.readers.sheets import read
from tests.front.documents.made import archive, ole2, row, whole, xlsx

OPEN_SHEET = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="Sheet">{}</table:table></office:spreadsheet></office:body></office:document-content>'
)


def test_sheets_are_headings_and_rows_blocks() -> None:
    """A row has its sheet's header; a title above the header is text, and an empty sheet nothing."""
    people = row(1, {"A": "All of them"}) + row(3, {"A": "Name", "B": "Size"}) + row(4, {"A": "Ada", "B": 1.5})
    found = whole(read, xlsx({"People": people, "Empty": "", "Single": row(1, {"C": "alone"})}))
    assert [(block.heading, block.text, block.repeated) for block in found.blocks] == [
        (("People",), "All of them", ""),
        (("People",), "Ada | 1.5", "Name | Size"),
        (("Single",), "alone", ""),
    ]


def test_numbers_are_written_as_people_do() -> None:
    """Whole numbers have no fraction, and no binary remains show."""
    found = whole(read, xlsx({"S": row(1, {"A": 3.0, "B": 0.30000000000000004}) + row(2, {"A": 1e20, "B": -2})}))
    assert found.blocks[0].repeated == "3 | 0.3"
    assert found.texts == ["1e+20 | -2"]


def test_ods() -> None:
    """An ODS sheet is read likewise; a million empty rows at its end are nothing."""
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in pair
        )
        + "</table:table-row>"
        for pair in (("Name", "Size"), ("Ada", "1"))
    )
    cells += '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    content = archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": OPEN_SHEET.format(cells),
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest'
            ':1.0"/>',
        }
    )
    found = whole(read, content)
    assert (found.texts, found.blocks[0].repeated, found.headings) == (["Ada | 1"], "Name | Size", ["Sheet"])


def test_a_styled_cell_far_away_is_nothing() -> None:
    """A sheet that says it ends at its last row, and is empty there, is as small as what it holds."""
    sheet = row(1, {"A": "a", "B": "b"}) + '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert whole(read, xlsx({"S": sheet})).texts == ["a | b"]


@pytest.mark.parametrize("far", ["XFD1048576", "A1048576", "XFD500"])
def test_a_filled_cell_far_away_is_refused(far: str) -> None:
    """Cells that lie far apart would make a huge grid: the sentence says how large."""
    column, number = far.rstrip("0123456789"), int(far.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    sheet = row(1, {"A": "a", "Z": "b"}) + row(number, {column: "far"})
    with pytest.raises(RefusedError, match=f"{number:,} rows") as error:
        whole(read, xlsx({"S": sheet}))
    assert error.value.refusal is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (xlsx({"S": ""}), Refusal.EMPTY),
        (archive({"xl/workbook.xml": "<workbook/>"}), Refusal.DAMAGED),
        (archive({"xl/worksheets/sheet1.xml": b" " * 2**24}), Refusal.UNPACKS_TOO_LARGE),
        (ole2("Root Entry", "EncryptedPackage"), Refusal.PASSWORD_NEEDED),
        (ole2("Root Entry"), Refusal.DAMAGED),
        (ole2("Root Entry", "Workbook", following=1), Refusal.DAMAGED),
        (ole2("Root Entry", "Workbook", more=0), Refusal.DAMAGED),
        (ole2("Root Entry", "Workbook")[:1100], Refusal.DAMAGED),
        (b"nothing", Refusal.DAMAGED),
    ],
    ids=[
        "empty",
        "no sheets",
        "bomb",
        "encrypted",
        "no old workbook",
        "circle",
        "circle of tables",
        "cut",
        "no archive",
    ],
)
def test_refused(content: bytes, refusal: Refusal) -> None:
    """What cannot be read is refused with the reason."""
    with pytest.raises(RefusedError) as error:
        whole(read, content)
    assert error.value.refusal is refusal
