"""Markdown: its blocks as written, with headings above them, tables in rows, HTML as text."""

from __future__ import annotations

from memory_mcp.documents.readers.model import Refusal, TextBlock
from tests.front.documents.reading import refused, told


def test_structure() -> None:
    """Both kinds of headings, paragraphs, lists and fences come out in order."""
    page = told(
        "Garden *notes*\n==============\n\nPrune the **apple** tree\nin February.\n\n## Compost [#](x)\n\n"
        "1. Turn it\n   - monthly\n2. Cover it\n\n```sh\n# no heading\nmake\n```\n\n> Said once.\n",
        "garden.md",
    )
    assert page.headers[0].title == "Garden notes"
    assert page.blocks == [
        TextBlock("Prune the **apple** tree\nin February.", ("Garden notes",)),
        TextBlock("1. Turn it", ("Garden notes", "Compost")),
        TextBlock("  - monthly", ("Garden notes", "Compost")),
        TextBlock("2. Cover it", ("Garden notes", "Compost")),
        TextBlock("```sh\n# no heading\nmake\n```", ("Garden notes", "Compost")),
        TextBlock("Said once.", ("Garden notes", "Compost")),
    ]


def test_front_matter() -> None:
    """Front matter gives the title, and is text; a rule at the start is not front matter."""
    page = told('---\ntitle: "Boat trip"\ntags: [sea]\n---\n# Other\ntext', "a.md")
    assert page.headers[0].title == "Boat trip"
    assert page.texts == ['title: "Boat trip"\ntags: [sea]', "text"]
    assert told("---\n\ntext\n", "a.md").texts == ["text"]


def test_tables() -> None:
    """Tables of Markdown and of HTML are rows under their header."""
    page = told(
        "| what | price |\n|---|---|\n| bread | 2 |\n\n<table><tr><th>who</th><th>does</th></tr>"
        "<tr><td>Tove</td><td>keeper</td></tr></table>\n",
        "a.md",
    )
    assert [(block.text, block.repeated) for block in page.blocks] == [
        ("bread | 2", "what | price"),
        ("Tove | keeper", "who | does"),
    ]


def test_html() -> None:
    """HTML headings count, comments are left out, link definitions and footnotes are kept."""
    page = told(
        '<h2 align="center">Logo</h2>\n\n<!-- hidden -->\n\nA[^1] [b]\n\n[^1]: note\n\n[b]: http://x.org\n', "a.md"
    )
    assert page.blocks == [
        TextBlock("A[^1] [b]", ("Logo",)),
        TextBlock("[^1]: note", ("Logo",)),
        TextBlock("[b]: http://x.org", ("Logo",)),
    ]


def test_long() -> None:
    """A long text is read in pieces, and nothing is lost where they meet."""
    parts = [
        f"## Part {number}\n\n{'word ' * 300}end {number}.\n\n```\n# code {number}\n```\n" for number in range(300)
    ]
    page = told("# All\n\n" + "\n".join(parts), "long.md")
    assert page.headings == ["All", *(f"Part {number}" for number in range(300))]
    assert [text for text in page.texts if "# code" in text] == [f"```\n# code {number}\n```" for number in range(300)]


def test_deep() -> None:
    """Nesting beyond the bound is refused; what the parser would drop is never lost in silence."""
    assert refused(">" * 2_000 + " deep", "a.md") is Refusal.TOO_DEEP
    assert told(">" * 20 + " deep", "a.md").texts == ["deep"]
    assert refused("<!-- nothing -->\n", "a.md") is Refusal.EMPTY
