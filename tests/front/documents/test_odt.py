"""Reading ODT."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.readers.odt import read
from tests.front.documents.made import archive, odt, whole


def cell(text: str, more: str = "") -> str:
    return f"<table:table-cell{more}><text:p>{text}</text:p></table:table-cell>"


def test_headings_lists_and_blanks() -> None:
    """Headings have their level, list items their depth; blanks, tabs and line breaks are elements of their own."""
    body = (
        '<text:h text:outline-level="1">One</text:h>'
        '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d</text:p>'
        '<text:h text:outline-level="2">Two <text:span>more</text:span></text:h>'
        "<text:list><text:list-item><text:p>x</text:p><text:list><text:list-item><text:p>y</text:p></text:list-item>"
        "</text:list></text:list-item></text:list><text:p>z</text:p>"
    )
    assert [(block.heading, block.text) for block in whole(read, odt(body)).blocks] == [
        (("One",), "a   b\tc\nd"),
        (("One", "Two more"), "- x"),
        (("One", "Two more"), "  - y"),
        (("One", "Two more"), "z"),
    ]


def test_tables() -> None:
    """A row is a block below its header."""
    body = (
        "<table:table><table:table-header-rows><table:table-row>" + cell("Name") + cell("Size") + "</table:table-row>"
        "</table:table-header-rows><table:table-row>" + cell("Ada") + cell("1") + "</table:table-row>"
        "<table:table-row>" + cell("x", ' table:number-columns-repeated="2"') + "</table:table-row></table:table>"
    )
    found = whole(read, odt(body))
    assert [(block.text, block.repeated) for block in found.blocks] == [
        ("Ada | 1", "Name | Size"),
        ("x | x", "Name | Size"),
    ]


def test_what_hangs_on_a_paragraph_follows_it() -> None:
    """Text boxes, notes and comments are read after their paragraph; tracked deletions are not read."""
    body = (
        "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>"
        '<text:p>said<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
        "<text:p>see below</text:p></text:note-body></text:note><draw:frame><draw:text-box><text:p>boxed</text:p>"
        "</draw:text-box></draw:frame><office:annotation><text:p>really?</text:p></office:annotation></text:p>"
    )
    assert whole(read, odt(body)).texts == ["said", "Footnote: see below", "boxed", "Comment: really?"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (odt("<text:p>x</text:p>", "<manifest:encryption-data/>"), Refusal.PASSWORD_NEEDED),
        (odt(""), Refusal.EMPTY),
        (odt("<text:p>"), Refusal.DAMAGED),
        (archive({"mimetype": ""}), Refusal.DAMAGED),
    ],
    ids=["encrypted", "empty", "not well-formed", "no content"],
)
def test_refused(content: bytes, refusal: Refusal) -> None:
    """What cannot be read is refused with the reason."""
    with pytest.raises(RefusedError) as error:
        whole(read, content)
    assert error.value.refusal is refusal
