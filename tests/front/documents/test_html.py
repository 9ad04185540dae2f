"""HTML: what a reader of the page sees, in order, with its headings, lists and tables."""

from __future__ import annotations

import pytest

from memory_mcp.documents.readers.model import Refusal, TextBlock
from tests.front.documents.reading import refused, told


def test_structure() -> None:
    """Headings are above the blocks, lists have their marks, inline elements stay in the sentence."""
    page = told(
        "<!doctype html><title>Garden &amp; notes</title><h1>Garden <small>notes</small></h1>"
        "<p>Prune the <b>apple</b> tree,<br>in\n   February.</p><h2>Compost</h2>"
        "<ol start=3><li>Turn it<ul><li>monthly</li></ul></li><li>Cover it</li></ol><p><p>Done."
    )
    assert page.headers[0].title == "Garden & notes"
    assert page.blocks == [
        TextBlock("Prune the apple tree,\nin February.", ("Garden notes",)),
        TextBlock("3. Turn it", ("Garden notes", "Compost")),
        TextBlock("  - monthly", ("Garden notes", "Compost")),
        TextBlock("4. Cover it", ("Garden notes", "Compost")),
        TextBlock("Done.", ("Garden notes", "Compost")),
    ]


def test_left_out() -> None:
    """Scripts, styles, comments, templates, hidden parts and navigation are not text."""
    page = told(
        "<!doctype html><head><style>.a{}</style><script>var a=1</script></head><body><!-- comment -->"
        "<nav><a href=/>Home</a></nav><div role=navigation>More</div><p hidden>h</p><p style='display: none'>d</p>"
        "<template><p>t</p></template><noscript>n</noscript><svg><text>s</text></svg><button>b</button>"
        "<article><p>Kept.</p><footer>By Tove</footer></article><footer>Imprint</footer></body>"
    )
    assert page.texts == ["Kept.", "By Tove"]


def test_main() -> None:
    """A main part is read alone, unless the page's heading stands outside, or it is filled by a script."""
    text = "The ferry leaves at 07:40. " * 20
    assert told(f"<html><p>Cookies!</p><main><h1>Ferry</h1><p>{text}</p></main>").texts == [text.strip()]
    assert told(f"<html><h1>Ferry</h1><p>Lead.</p><main><p>{text}</p></main>").texts == ["Lead.", text.strip()]
    assert told("<html><main></main><p>Filled by a script.</p>").texts == ["Filled by a script."]


def test_table() -> None:
    """Rows keep together, under their header; a table that only places parts is no table."""
    rows = told(
        "<html><table><caption>Prices</caption><tr><th>what<th>price</tr><tr><td>bread<td><b>2</b></tr>"
        "<tr><td><ul><li>milk<li>cheese</ul><td>1 |</tr></table>"
    )
    assert [(block.text, block.repeated) for block in rows.blocks] == [
        ("bread | 2", "what | price"),
        ("- milk - cheese | 1 |", "what | price"),
    ]
    layout = told("<html><table><tr><td><p>Left.</p><td><table><tr><td>a<td>b</table></table>")
    assert [block.text for block in layout.blocks] == ["Left.", "a | b"]
    assert told("<html><table><tr><th>a<th>b</tr></table>").texts == ["a | b"]


def test_preformatted() -> None:
    """Code keeps its lines and indentation."""
    assert told("<html><pre>def f():\n    return 1\n</pre><p>x").texts == ["def f():\n    return 1", "x"]


def test_bare_headings() -> None:
    """A heading with nothing beneath it is not lost."""
    assert told("<html><h1>§ 1 A</h1><h2>B</h2><h2>§C# ¶</h2><p>text").blocks == [
        TextBlock("B", ("§ 1 A", "B")),
        TextBlock("text", ("§ 1 A", "C#")),
    ]


def test_xhtml() -> None:
    """An empty element of XHTML does not swallow what follows."""
    assert told(
        '<?xml version="1.0"?><html><head><title/><script src="a"/></head><body><p>text</p></body></html>'
    ).texts == ["text"]


@pytest.mark.parametrize(
    "page", ["<div>" * 50_000, "<html>" + "<p><b><i>" * 20_000, "<html>" + "<table><tr><td>" * 5_000]
)
def test_deep(page: str) -> None:
    """Nesting beyond the bound is refused before it costs anything."""
    assert refused(page + "x", "x.html") is Refusal.TOO_DEEP


def test_empty() -> None:
    """A page without text says so."""
    assert refused("<!doctype html><script>x()</script>") is Refusal.EMPTY


def test_data() -> None:
    """Binary data in base64 is not text."""
    data = "QUJD" * 200
    assert told(f"<html><p>See <a>data:image/png;base64,{data}</a> here").texts == ["See … here"]
