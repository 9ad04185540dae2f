"""Reading PPTX: slides in the order in which they are shown, with titles, tables, groups, notes and SmartArt."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.readers.pptx import read
from tests.front.documents.made import PREAMBLE, archive, relations, whole


def shape(*lines: str, kind: str = "", more: str = "") -> str:
    """Return a shape with these paragraphs."""
    place = f'<p:ph type="{kind}"/>' if kind else ""
    text = "".join(f"<a:p>{more}<a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp><p:nvSpPr><p:nvPr>{place}</p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>"


def tree(kind: str, shapes: str) -> str:
    """Return a slide or notes."""
    return f"<p:{kind}{PREAMBLE}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{kind}>"


def presentation(*slides: str, beside: dict[str, str] | None = None) -> bytes:
    """Return a PPTX file, whose last slide in the archive is the first that is shown; `beside` belongs to that one."""
    count = len(slides)
    shown = "".join(f'<p:sldId id="{number}" r:id="r{number}"/>' for number in range(count, 0, -1))
    parts = {f"ppt/slides/slide{count - number}.xml": tree("sld", slide) for number, slide in enumerate(slides)}
    beside = beside or {}
    return archive(
        {
            "_rels/.rels": relations([("officeDocument", "/ppt/presentation.xml")]),
            "ppt/presentation.xml": f"<p:presentation{PREAMBLE}><p:sldIdLst>{shown}</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(
                ("slide", f"slides/slide{n}.xml") for n in range(1, count + 1)
            ),
            f"ppt/slides/_rels/slide{count}.xml.rels": relations((kind, f"../beside/{kind}.xml") for kind in beside),
            **{f"ppt/beside/{kind}.xml": content for kind, content in beside.items()},
            **parts,
        }
    )


def test_slides_are_pages_and_titles_headings() -> None:
    """Slides come as they are shown; one without a title is under no heading, and the number on it is left out."""
    found = whole(
        read,
        presentation(
            shape("before the title") + shape("First", kind="title") + shape("12", kind="sldNum"),
            shape("no title", "deeper", more='<a:pPr lvl="1"/>'),
            shape("Only a title", kind="ctrTitle"),
        ),
    )
    assert found.header.pages == 3
    assert [(block.page, block.heading, block.text) for block in found.blocks] == [
        (1, ("First",), "before the title"),
        (2, (), "  no title"),
        (2, (), "  deeper"),
        (3, ("Only a title",), "Only a title"),
    ]


def test_groups_tables_notes_comments_and_smart_art() -> None:
    """All that is on a slide and beside it is read."""
    cells = [["Name", "Size"], ["Ada", "1"]]
    rows = "".join(
        "<a:tr>"
        + "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{c}</a:t></a:r></a:p></a:txBody></a:tc>" for c in row)
        + "</a:tr>"
        for row in cells
    )
    slide = (
        f"<p:grpSp><p:grpSp>{shape('in a group')}</p:grpSp></p:grpSp>"
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
        '<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm="r2"/></a:graphicData></a:graphic></p:graphicFrame>'
    )
    beside = {
        "notesSlide": tree("notes", shape("do not forget", kind="body") + shape("1", kind="sldNum")),
        "diagramData": f"<dgm:dataModel{PREAMBLE}><dgm:t><a:p><a:r><a:t>a circle</a:t></a:r></a:p></dgm:t>"
        "</dgm:dataModel>",
        "comments": f"<p:cmLst{PREAMBLE}><p:cm><p:text>too long</p:text></p:cm></p:cmLst>",
    }
    found = whole(read, presentation(slide, beside=beside))
    assert found.texts == ["in a group", "Ada | 1", "a circle", "Notes: do not forget", "Comment: too long"]
    assert found.blocks[1].repeated == "Name | Size"


def test_a_presentation_without_text_is_refused() -> None:
    """Pictures alone are no text."""
    with pytest.raises(RefusedError) as error:
        whole(read, presentation(""))
    assert error.value.refusal is Refusal.EMPTY
