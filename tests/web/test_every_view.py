"""What holds for all views: anybody can use them, nothing leaves the origin, and what was written stays text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from memory_mcp.domain.principal import Scope
from memory_mcp.server.web.views import VIEWS
from tests.web.browser import SMALL, Browser, Tab
from tests.web.conftest import SignIn, Site, store

BLNS = Path(__file__).parents[2].parent / "shared" / "data" / "robustness" / "blns.json"
"""The Big List of Naughty Strings, beside a checkout that has it."""
FEW = [
    "<script>window.__ran = 1; alert(1)</script>",
    '"><img src=x onerror="window.__ran = 1">',
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}${7*7}",
    "</textarea></title><script>alert(1)</script>",
    "&lt;b&gt; &amp;amp;",
]
MARKS = "left \u202eright to left\u202c \u200bzero\u200dwidth\ufeff \u2066isolated\u2069 עברית العربية"
OWN = "every-view"
HARM = "main :is(script, img, iframe, [onerror], [onload], [onmouseover])"
"""What no view has but by what somebody has written."""
SHOWN = """async (ids) => {
  const headers = { 'X-Page-Secret': localStorage.getItem('page-secret') };
  return Promise.all(ids.map(async (id) => {
    const answer = await fetch(`/view/memories/${encodeURIComponent(id)}?namespace=naughty`, { headers });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const others = page.querySelectorAll('script, img, iframe, [onerror], [onload], [onmouseover], [style]');
    return [page.querySelector('#content').textContent, others.length];
  }));
}"""
"""What the views of memories say is their content, and how many elements are not ours."""


def naughty() -> list[str]:
    """Return what has broken other pages: the list where it is there, and some of its kind."""
    listed: list[str] = json.loads(BLNS.read_text(encoding="utf-8")) if BLNS.exists() else []
    return [*FEW, MARKS, *(text for text in listed if text.strip() and "\0" not in text)]


@pytest.fixture(scope="module")
def tab(browser: Browser, site: Site) -> Iterator[Tab]:
    """Sign in once for all views."""
    opened = browser.open(site.url)
    opened.goto(f"/sign-in#{site.code()}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def places(site: Site, tab: Tab) -> dict[str, str]:
    """Return an address of each view, of a memory and a document too."""
    with site.client("papers") as client:
        client.tool("memory_ingest", content="# A paper\n\nFor every view.", namespace=OWN)
    tab.goto(f"/documents?namespace={OWN}")
    tab.wait("#documents .title")
    [memory_id] = store(site, "A memory for every view.", namespace=OWN, tags=["one"], metadata={"room": "hall"})
    found = {view.name: view.path for view in VIEWS if "{" not in view.path}
    return found | {
        "document": tab.js("document.querySelector('#documents .title').getAttribute('href')"),
        "memory": f"/memories/{memory_id}?namespace={OWN}",
        "search-hits": f"/?query=memory&namespace={OWN}",
    }


def test_every_view_can_be_used_by_anybody(tab: Tab, places: dict[str, str]) -> None:
    """axe-core finds nothing serious in light or dark, and nothing is wider than a small screen."""
    found: dict[str, object] = {}
    for name, path in places.items():
        tab.goto(path)
        for scheme, rules in (("light", ()), ("dark", ("color-contrast",))):
            tab.do("emulateMedia", {"colorScheme": scheme})
            found |= {f"{name}, {scheme}": wrong for wrong in [tab.violations(*rules)] if wrong}
            tab.shot(f"view-{name}-{scheme}")
        tab.do("emulateMedia", {"colorScheme": "light"})
        tab.do("setViewportSize", {"width": 320, "height": 640})
        if tab.js("document.documentElement.scrollWidth > innerWidth"):
            found[f"{name}, 320 px"] = "is wider than the screen"
        tab.shot(f"view-{name}-small")
        tab.do("setViewportSize", {"width": 1280, "height": 900})
    assert found == {}


def test_nothing_leaves_the_origin(tab: Tab, site: Site, places: dict[str, str]) -> None:
    """Every request of every view goes to the front, and the policy had nothing to refuse."""
    tab.goto(places["memory"])
    assert {request for request in tab.requests if f" {site.url}/" not in request} == set()
    assert tab.errors == []


def test_whatever_was_written_is_shown_and_not_run(tab: Tab, site: Site) -> None:
    """In contents, tags, types, namespaces and metadata: each is text, whole and in its place."""
    with site.client("naughty") as client:
        items = [
            {"content": text, "namespace": "naughty", "metadata": {text[:50]: text}}
            | ({"tags": [text[:64]], "type": text[:64]} if text in FEW else {})
            for text in dict.fromkeys(naughty())
        ]
        stored = client.tool("memory_store_many", items=items)["items"]
        kept = {done["id"]: str(item["content"]) for item, done in zip(items, stored, strict=True) if "id" in done}
        documents = []
        for text in FEW:
            client.tool("memory_store", content="in its own", namespace=text[:60])
            named = {"title": text, "uri": f"upload:{quote(text)}", "tags": [text[:64]], "namespace": "naughty"}
            documents += client.tool("memory_ingest", content=f"# {text}\n\n{text}", **named)["documents"]
    assert len(kept) > len(items) * 0.9
    shown = tab.js(f"({SHOWN})({json.dumps(list(kept))})")
    assert [text for text, _ in shown] == [text.replace("\r\n", "\n").replace("\r", "\n") for text in kept.values()]
    assert {count for _, count in shown} == {0}
    for document in documents[:3]:
        tab.goto(f"/documents/{document['id']}")
        assert tab.count(HARM) == 0
    for path in ("/jobs?namespace=naughty", "/?namespace=naughty&query=script"):
        tab.goto(path)
        assert tab.count(HARM) == 0
    tab.goto("/documents?namespace=naughty")
    assert {*FEW} <= {title.strip() for title in tab.texts("#documents .title")}
    for path in (f"/memories/{next(iter(kept))}?namespace=naughty", "/timeline", "/map", "/?query=script"):
        tab.goto(path)
        tab.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    tab.goto("/?namespace=naughty&limit=100")
    tab.shot("naughty", full=True)
    assert tab.dialogs == []
    assert tab.js("typeof window.__ran") == "undefined"
    assert tab.errors == []


def test_characters_that_mislead_can_be_seen(sign_in: SignIn, site: Site) -> None:
    """Of no width, or turning the direction: each by its number when that is asked for, and as before afterwards."""
    [memory_id] = store(site, MARKS, namespace=OWN)
    tab = sign_in(f"/memories/{memory_id}?namespace={OWN}")
    tab.click("text=Show invisible characters")
    assert tab.texts("#content .invisible")[:3] == ["U+202E", "U+202C", "U+200B"]
    tab.shot("invisible")
    assert tab.violations() == []
    tab.click("text=Hide invisible characters")
    assert tab.js("document.querySelector('#content').textContent") == MARKS


def test_a_session_that_ends_loses_nothing_typed(sign_in: SignIn, site: Site, browser: Browser) -> None:
    """The page says so, a new sign-in goes on where it was, and what was typed is saved."""
    [memory_id] = store(site, "Before the session ended.", namespace=OWN)
    first, second = site.front.token("first"), site.front.token("second")
    tab = browser.open(site.url)
    tab.do("goto", f"/memories/{memory_id}?namespace={OWN}")
    tab.wait("text=Sign in to see what is remembered")
    tab.fill("[name=token]", "not a token")
    tab.press("Enter")
    tab.wait("#sign-in-error:has-text('this token is not valid')")
    tab.fill("[name=token]", first)
    tab.press("Enter")
    tab.settle()
    tab.press("e")
    tab.fill("[name=content]", "Typed before it ended.")
    site.front.tokens.revoke("first")
    tab.press("Control+Enter")
    tab.wait("#signed-out:has-text('What you typed is kept')")
    tab.shot("session-ended")
    assert tab.violations() == []
    tab.fill("#signed-out [name=token]", second)
    tab.press("Enter")
    tab.wait("#signed-out", "hidden")
    assert tab.js("document.querySelector('[name=content]').value") == "Typed before it ended."
    tab.press("Control+Enter")
    tab.wait("#content >> text=Typed before it ended.")
    tab.close()


def test_a_reader_is_shown_what_a_reader_may_do(site: Site, browser: Browser) -> None:
    """No button that writes, no entry that wants more, and only its own namespace."""
    store(site, "Of the reader's own.", namespace="readers")
    store(site, "Of somebody else.", namespace="others")
    tab = browser.open(site.url)
    tab.do("goto", "/")
    tab.fill("[name=token]", site.front.token("reads", "readers", (Scope.READ,)))
    tab.press("Enter")
    tab.settle()
    assert "Of the reader's own." in tab.text()
    assert "Of somebody else." not in tab.text()
    assert tab.count("#nav a:visible >> text=Tokens") == 0
    assert tab.count("main input[type=checkbox]") == 0
    tab.shot("reader")
    tab.do("goto", "/tokens")
    tab.wait("text=needs the scope")
    tab.close()


def test_all_of_it_by_keyboard(sign_in: SignIn, site: Site) -> None:
    """Search, go through the hits, open one, correct it, and go elsewhere; no mouse."""
    store(site, "The harbour master is called Anna.", "The harbour closes at nine.")
    tab = sign_in("/timeline")
    tab.press("/")
    tab.type("harbour")
    tab.press("Enter")
    tab.until("document.querySelectorAll('[data-row]').length >= 2 && !document.querySelector('main[aria-busy]')")
    tab.press("Escape", "j", "j", "k")
    tab.until("document.activeElement.closest('[data-row]')")
    tab.press("Enter")
    tab.wait("[data-edit]")
    tab.settle()
    tab.press("e")
    tab.until("document.activeElement.name === 'content'")
    tab.press("Control+End")
    tab.type(" By keyboard.")
    tab.press("Control+Enter")
    tab.wait("#content >> text=By keyboard.")
    tab.press("?")
    tab.wait("#keys")
    tab.press("Escape")
    tab.wait("#keys", "hidden")
    tab.press("g", "d")
    tab.wait("h1:has-text('Documents')")
    assert tab.errors == []


def test_every_control_is_reached_by_tab(tab: Tab, places: dict[str, str]) -> None:
    """In each view, with a visible ring around it; the first leads past the navigation."""
    for path in places.values():
        tab.goto(path)
        tab.js("document.activeElement.blur()")
        tab.press("Tab")
        assert tab.js("document.activeElement.className") == "skip"
        tab.press("Enter")
        wanted = tab.js(
            "[...document.querySelectorAll('main a[href], main button, main input, main select, main textarea')]"
            ".filter((it) => it.offsetParent && !it.disabled && it.tabIndex >= 0 && it.type !== 'file').length"
        )
        reached: set[str] = set()
        for _ in range(min(wanted, 8)):
            tab.press("Tab")
            reached.add(
                tab.js(
                    "(() => { const it = document.activeElement; const ring = getComputedStyle(it).outlineStyle;"
                    " return main.contains(it) ? (ring === 'none' ? 'no ring' : 'ring') : 'outside'; })()"
                )
            )
        assert reached <= {"ring", "outside"}, (path, reached)
        assert wanted == 0 or "ring" in reached, path


def test_a_small_screen_has_a_menu(sign_in: SignIn) -> None:
    """It opens by a button, leads elsewhere and closes."""
    tab = sign_in("/", size=SMALL)
    tab.shot("small")
    tab.click("#menu")
    tab.wait("#nav a >> text=Timeline")
    tab.shot("small-menu")
    tab.click("#nav a >> text=Timeline")
    tab.wait("h1:has-text('Timeline')")
    tab.wait("#nav", "hidden")


def test_a_front_that_is_gone_is_said(sign_in: SignIn) -> None:
    """With what to do, and a way to try again that works once it is back."""
    tab = sign_in(apart=True)
    tab.offline()
    tab.click("#nav a >> text=Timeline")
    tab.wait("text=The server no longer answers")
    tab.shot("offline")
    tab.offline(off=False)
    tab.click("text=Try again")
    tab.wait("h1:has-text('Timeline')")
