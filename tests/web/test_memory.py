"""A memory on the page: read, corrected, brought back, and what happens when two change it."""

from __future__ import annotations

from tests.web.browser import SMALL
from tests.web.conftest import SignIn, Site, store

HERE = "reading"


def test_an_edit_keeps_the_history_and_can_be_undone(sign_in: SignIn, site: Site) -> None:
    """The text, tags, type and metadata change together; the difference is shown word by word; undo restores."""
    [memory_id] = store(site, "The key lies under the mat.", namespace=HERE, tags=["home"])
    tab = sign_in(f"/memories/{memory_id}?namespace={HERE}")
    tab.press("e")
    tab.until("document.activeElement.name === 'content'")
    tab.fill("[name=content]", "The key hangs under the mat.")
    tab.fill("[name=tags]", "home, keys")
    tab.fill("[name=type]", "fact")
    tab.fill("[name=metadata]", "{no json")
    tab.press("Control+Enter")
    tab.wait("text=Metadata must be a JSON object")
    tab.fill("[name=metadata]", '{"room": "hall"}')
    tab.shot("memory-edit")
    tab.press("Control+Enter")
    tab.wait("text=Saved as revision 2")
    tab.wait("#content >> text=hangs")
    tab.click("#history summary")
    tab.wait("del >> text=lies")
    assert "hangs" in tab.text("ins >> nth=0")
    assert "keys" in tab.text(".revision dl")
    tab.shot("memory-history", full=True)
    assert tab.violations() == []
    tab.click(".toast >> text=Undo")
    tab.wait("#content >> text=lies")
    assert "3" in tab.text(".facts-panel")
    assert tab.errors == []


def test_an_edit_changes_nothing_else_and_is_not_left_unasked(sign_in: SignIn, site: Site) -> None:
    """Tags with commas and great numbers stay as they are; leaving asks; what oneself deletes is no news."""
    fields = {"tags": ["x, y", "z"], "metadata": {"n": 12345678901234567890}}
    [memory_id] = store(site, "first text", namespace="kept", **fields)
    tab = sign_in("/?namespace=kept")
    tab.click("#hits a.passage")
    tab.until("document.documentElement.dataset.live === 'on'")
    tab.wait("article.memory")
    tab.press("e")
    tab.wait("#editor")
    tab.fill("[name=content]", "second text")
    for leave in ("#nav a >> text=Timeline", "#sign-out"):
        tab.click(leave)
        tab.wait("#confirm >> text=Discard your unsaved changes?")
        tab.click("#confirm [value=no]")
    tab.js("history.back()")
    tab.wait("#confirm >> text=Discard your unsaved changes?")
    tab.click("#confirm [value=no]")
    tab.until(f"location.pathname === '/memories/{memory_id}'")
    with site.client("tagger") as client:
        client.tool("memory_update", id=memory_id, type="fact")
        tab.click("#changed >> text=Show")
        tab.click("#confirm [value=no]")
        tab.click("#editor [type=submit]")
        tab.click("text=Save mine")
        tab.wait("#content >> text=second text")
        kept = client.tool("memory_get", id=memory_id)
    assert {name: kept[name] for name in fields} == fields
    tab.click(".chips a >> text=x, y")
    tab.wait("#hits >> text=second text")
    tab.click("#hits a.passage")
    tab.click("[data-delete]")
    tab.wait("text=This memory was deleted")
    tab.until("!document.querySelector('#changed .notice')")
    assert tab.errors == []


def test_an_earlier_revision_comes_back(sign_in: SignIn, site: Site) -> None:
    """It is the newest from then on."""
    [memory_id] = store(site, "first text", namespace=HERE)
    with site.client("editor") as client:
        client.tool("memory_update", id=memory_id, content="second text")
        client.tool("memory_update", id=memory_id, content="third text")
    tab = sign_in(f"/memories/{memory_id}?namespace={HERE}")
    tab.click("#history summary")
    tab.click("[data-read='1']")
    tab.wait("[data-old='1'] >> text=first text")
    tab.click("[data-revert='1']")
    tab.click("#confirm-yes")
    tab.wait("#content >> text=first text")
    assert "4" in tab.text(".facts-panel")


def test_two_browsers_change_one_memory(sign_in: SignIn, site: Site) -> None:
    """The later is told, sees both texts, loses nothing, and may save its own; an open page says that it changed."""
    [memory_id] = store(site, "Meet at five in the hall.", namespace=HERE)
    first, second = (sign_in(f"/memories/{memory_id}?namespace={HERE}", apart=True) for _ in range(2))
    for tab in (first, second):
        tab.until("document.documentElement.dataset.live === 'on'")
        tab.click("[data-edit]")
        tab.wait("#editor")
    first.fill("[name=content]", "Meet at six in the hall.")
    first.click("#editor [type=submit]")
    first.wait("text=Saved as revision 2")
    second.wait("text=Someone else has changed this memory")
    assert second.js("document.querySelector('[name=content]').value") == "Meet at five in the hall."
    second.fill("[name=content]", "Meet at five in the garden.")
    second.click("#editor [type=submit]")
    second.wait("text=while you were editing")
    assert "six" in second.text(".conflict del")
    assert "garden" in second.text(".conflict .diff")
    second.shot("memory-conflict", full=True)
    assert second.js("document.querySelector('[name=content]').value") == "Meet at five in the garden."
    second.click("text=Save mine")
    second.wait("#content >> text=garden")
    first.click("#changed >> text=Show")
    first.wait("#content >> text=garden")
    assert second.errors == []


def test_a_deleted_memory_says_so_and_comes_back(sign_in: SignIn, site: Site) -> None:
    """By the toast's undo, or by the button on its page."""
    [memory_id] = store(site, "soon deleted", namespace=HERE)
    tab = sign_in(f"/memories/{memory_id}?namespace={HERE}")
    tab.click("[data-delete]")
    tab.wait("text=This memory was deleted")
    tab.shot("memory-deleted")
    tab.click("article [data-restore]")
    tab.wait("[data-delete]")
    tab.click("[data-delete]")
    tab.click(".toast:last-child:has-text('Deleted') >> text=Undo")
    tab.wait("[data-delete]")
    assert tab.errors == []


def test_what_lies_around_a_memory(sign_in: SignIn, site: Site) -> None:
    """Its neighbours in the conversation, near duplicates, and the conversation as a list."""
    ids = store(site, *(f"Turn {n} of the talk about boats." for n in range(5)), namespace=HERE, conversation_id="talk")
    store(site, "Turn 2 of the TALK about boats!", namespace=HERE)
    tab = sign_in(f"/memories/{ids[2]}?namespace={HERE}")
    tab.wait("#related >> text=In its conversation")
    assert [text.strip()[:6] for text in tab.texts("#related ol >> nth=0 >> .passage")] == [
        "Turn 0",
        "Turn 1",
        "Turn 3",
        "Turn 4",
    ]
    tab.wait("#alike >> text=The same words")
    tab.click("#alike [data-select] >> nth=0")
    tab.wait(".bulk >> text=1 selected")
    tab.shot("memory-related", full=True)
    tab.click("[data-change=delete]")
    tab.wait(".toast >> text=Deleted 1 memory")
    tab.wait("#alike >> text=The same words", "hidden")
    tab.click("text=Show the whole conversation")
    tab.until("document.querySelectorAll('#hits [data-row]').length === 5")
    assert tab.errors == []


def test_an_id_may_hold_anything(sign_in: SignIn, site: Site) -> None:
    """Slashes, dots, blanks, question marks and other scripts stay one id."""
    for number, memory_id in enumerate(("notes/2024/a.md", "../x", "..", "a b?c#d", "日本/ß")):
        store(site, f"named strangely {number}", namespace="strange", id=memory_id)
    tab = sign_in("/?namespace=strange")
    for number in range(5):
        tab.click(f"a.passage >> text=named strangely {number}")
        tab.wait(f"#content >> text=named strangely {number}")
        tab.do("reload")
        tab.wait(f"#content >> text=named strangely {number}")
        tab.do("goBack")
        tab.wait("#hits")
    assert tab.errors == []


def test_a_long_text_is_shown_in_part(sign_in: SignIn, site: Site) -> None:
    """A line of a megabyte neither freezes the page nor widens it; the rest comes on request."""
    line = "\u200b" + "<i>x</i>" * 124_874
    [memory_id] = store(site, line, namespace=HERE, metadata={"origin": "a" * 300, "n": 3})
    address = f"/memories/{memory_id}?namespace={HERE}"
    small, tab = sign_in(address, size=SMALL), sign_in(address, scheme="dark")
    for name, shown in {"light-small": small, "dark-wide": tab}.items():
        assert shown.js("document.getElementById('content').textContent.length") == 20_000
        assert shown.js("document.documentElement.scrollWidth <= innerWidth")
        shown.shot(f"memory-long-{name}")
        assert shown.violations() == []
    tab.click("text=Show all")
    tab.until(f"document.getElementById('content').textContent.length === {len(line)}")
    assert tab.errors == []
