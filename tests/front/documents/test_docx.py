"""Reading DOCX: all that a person sees in it, transitional or strict, and nothing from outside of it."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.docx import read
from memory_mcp.documents.readers.model import Refusal, RefusedError
from tests.front.documents.made import archive, docx, ole2, p, table, whole

STYLES = (
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="berschrift1"/></w:style>'
    '<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>'
    '<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>'
)


def styled(text: str, style: str) -> str:
    """Return a paragraph of that style."""
    return p(text, f'<w:pStyle w:val="{style}"/>')


def box(text: str) -> str:
    """Return a drawing with a text box, as newer and as older programs read it."""
    content = f"<w:txbxContent>{p(text)}</w:txbxContent>"
    return (
        "<w:r><mc:AlternateContent>"
        f'<mc:Choice Requires="wps"><w:drawing><wps:txbx>{content}</wps:txbx></w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict><v:textbox>{content}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )


@pytest.mark.parametrize("strict", [False, True], ids=["transitional", "strict"])
def test_headings_by_style(*, strict: bool) -> None:
    """A style is a heading by its built-in name, its outline level, or the style on which it is based."""
    body = "".join(
        [
            styled("One", "berschrift1"),
            p("under one"),
            styled("Two", "H2"),
            p("under two"),
            styled("Three", "Mine"),
            p("under three"),
            p("Four", '<w:outlineLvl w:val="1"/>'),
            styled("under four", "Loop"),
        ]
    )
    found = whole(read, docx(body, {"styles": STYLES}, strict=strict))
    assert [(block.heading, block.text) for block in found.blocks] == [
        (("One",), "under one"),
        (("One", "Two"), "under two"),
        (("Three",), "under three"),
        (("Three", "Four"), "under four"),
    ]


def test_tables() -> None:
    """A row is a block below its header; merged cells leave gaps, and a table within is text of its cell."""
    rows = [[p("Name"), p("Size")], [p("Ada"), p("1") + p("2")], [p("Bo"), table([[p("in"), p("side")]])]]
    found = whole(read, docx(table(rows)))
    assert [(block.text, block.repeated) for block in found.blocks] == [
        ("Ada | 1 2", "Name | Size"),
        ("Bo | in side", "Name | Size"),
    ]


def test_a_table_of_one_cell_is_a_frame() -> None:
    """What stands in the only cell of a table is read as if it stood outside."""
    found = whole(read, docx(table([[styled("One", "H2") + p("first") + p("second")]]), {"styles": STYLES}))
    assert [(block.heading, block.text) for block in found.blocks] == [(("One",), "first"), (("One",), "second")]


def test_text_boxes_are_read_once() -> None:
    """A text box follows the paragraph in which it is anchored, in a table too; its second form is left out."""
    body = p("before", more=box("boxed")) + table([[p("a", more=box("in a cell")), p("b")], [p("c"), p("d")]])
    assert whole(read, docx(body)).texts == ["before", "boxed", "in a cell", "c | d"]


def test_notes_and_comments_follow_their_paragraph() -> None:
    """Footnotes, endnotes and comments come after the paragraph that has them, and say what they are."""
    marks = '<w:r><w:footnoteReference w:id="2"/><w:commentReference w:id="0"/><w:endnoteReference w:id="7"/></w:r>'
    beside = {
        "footnotes": f'<w:footnote w:id="2">{p("see below")}</w:footnote>',
        "endnotes": f'<w:endnote w:id="7">{p("the end")}</w:endnote>',
        "comments": f'<w:comment w:id="0" w:author="Ada">{p("really?")}</w:comment>',
    }
    assert whole(read, docx(p("said", more=marks) + p("next"), beside)).texts == [
        "said",
        "Footnote: see below",
        "Comment by Ada: really?",
        "Endnote: the end",
        "next",
    ]


def test_changes_are_read_as_accepted() -> None:
    """Insertions are text; deletions, what was moved away, hidden text and codes of fields are not."""
    more = (
        "<w:ins><w:r><w:t> added</w:t></w:r></w:ins><w:del><w:r><w:delText> gone</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t> moved</w:t></w:r></w:moveFrom>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t> hidden</w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>"
        "<w:r><w:tab/><w:t>tab</w:t><w:br/><w:t>line</w:t></w:r>"
    )
    assert whole(read, docx(p("kept", more=more))).texts == ["kept added\ttab\nline"]


def test_equations() -> None:
    """An equation is written on a line."""

    def math(name: str, **parts: str) -> str:
        return (
            f"<m:{name}>" + "".join(f"<m:{part}>{inner}</m:{part}>" for part, inner in parts.items()) + f"</m:{name}>"
        )

    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    square = math("sSup", e=run("b"), sup=run("2"))
    body = math("f", num=run("-b±") + math("rad", e=square + run("-4ac")), den=run("2a"))
    assert whole(read, docx(f"<w:p><m:oMath>{run('x=')}{body}</m:oMath></w:p>")).texts == ["x=(-b±√(b^2-4ac))/2a"]


def test_content_controls_and_lists() -> None:
    """What content controls hold is text; list items have a mark, deeper ones are indented."""
    item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    body = f"<w:sdt><w:sdtContent>{p('held')}</w:sdtContent></w:sdt>" + p("a", item.format(0)) + p("b", item.format(1))
    assert whole(read, docx(body)).texts == ["held", "- a", "  - b"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (archive({"word/document.xml": "<w/>"}), Refusal.DAMAGED),
        (docx("<w:p>"), Refusal.DAMAGED),
        (docx(""), Refusal.EMPTY),
        (docx("<w:p>" * 300 + "</w:p>" * 300), Refusal.TOO_DEEP),
        (b"PK\3\4 nothing", Refusal.DAMAGED),
        (ole2("Root Entry", "WordDocument"), Refusal.NO_READER),
        (ole2("Root Entry", "EncryptedPackage"), Refusal.PASSWORD_NEEDED),
    ],
    ids=["no relations", "not well-formed", "empty", "deep", "no archive", "old", "encrypted"],
)
def test_refused(content: bytes, refusal: Refusal) -> None:
    """What cannot be read is refused with the reason."""
    with pytest.raises(RefusedError) as error:
        whole(read, content)
    assert error.value.refusal is refusal
