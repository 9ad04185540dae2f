"""Searching on the page: as it is typed, with filters that the address holds, and why a hit is one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.e2e.conftest import FRONT
from tests.e2e.web import WebFront
from tests.web.browser import SMALL, Browser
from tests.web.conftest import SignIn, Site, store

HERE = "search"
TEXTS = (
    "The key of the boat hangs in the kitchen, beside the chart of the harbour.",
    "Green tea in the morning, black tea after lunch; no coffee after four.",
    "Anna decided on 3 May to move the backup to the second machine.",
    "The landlord wants the rent on the first of each month, by standing order.",
)


BREAKABLE = """(() => {
  const real = window.fetch;
  window.live = { cut: new AbortController(), isAway: false };
  window.fetch = (path, options) => {
    if (path !== '/view/live') return real(path, options);
    if (window.live.isAway) return Promise.reject(new TypeError('away'));
    return real(path, { ...options, signal: AbortSignal.any([options.signal, window.live.cut.signal]) });
  };
})()"""
"""Lets a test cut the stream of what others write."""


@pytest.fixture(scope="module", autouse=True)
def remembered(site: Site) -> None:
    """Store what these tests look for."""
    store(site, *TEXTS[:2], namespace=HERE, tags=["home", "daily"])
    store(site, TEXTS[2], namespace=HERE, type="decision", tags=["work"], conversation_id="backups")
    store(site, "Then let us tell the others about it.", namespace=HERE, conversation_id="backups")
    store(site, TEXTS[3], namespace=HERE, tags=["home", "money"], type="fact")
    long = " ".join(f"Filler sentence number {n} speaks of nothing in particular." for n in range(200))
    store(site, f"{long} The spare umbrella lies in the cellar. {long}", namespace=HERE, tags=["home"])


def test_hits_appear_as_one_types(sign_in: SignIn) -> None:
    """The address follows, words are marked, a reload and going back show the same, and nothing is stored of it."""
    tab = sign_in(f"/?namespace={HERE}")
    assert "newest first" in tab.text("#summary")
    tab.shot("search-list")
    tab.press("/")
    tab.type("where is the key of the boat")
    tab.wait("#hits mark:text('boat')")
    assert "query=where+is+the+key+of+the+boat" in tab.path
    tab.shot("search-results")
    tab.do("reload")
    tab.settle()
    assert tab.js("document.getElementById('find').value") == "where is the key of the boat"
    tab.press("j")
    tab.until("document.activeElement.matches('#hits a.passage')")
    tab.press("Enter")
    tab.wait("article.memory")
    assert "boat" in tab.texts("#content mark")
    tab.do("goBack")
    tab.wait("#hits mark:text('boat')")
    tab.press("/")
    tab.press("Enter")
    tab.until("document.activeElement === document.querySelector('#hits a.passage')")
    assert tab.errors == []


def test_an_older_answer_never_wins(sign_in: SignIn) -> None:
    """Of two requests the later one is shown, whichever is answered first."""
    tab = sign_in(f"/?namespace={HERE}")
    tab.js("""(() => {
      const real = window.fetch;
      window.fetch = async (path, options) => {
        if (String(path).includes('query=rent')) await new Promise((later) => setTimeout(later, 700));
        return real(path, options);
      };
    })()""")
    tab.fill("#find", "rent")
    tab.until("performance.getEntriesByType('resource').length > 0 && location.search.includes('query=rent')")
    tab.fill("#find", "tea")
    tab.wait("#hits mark:text-is('tea')")
    tab.until("!document.querySelector('#results[aria-busy]')")
    assert "tea" in tab.text("#hits")
    assert "query=tea" in tab.path


def test_why_a_hit_is_one(sign_in: SignIn) -> None:
    """The parts of the score stand in words and numbers; how the query was read is told beneath."""
    tab = sign_in(f"/?namespace={HERE}&query=boat+key")
    tab.click("details.why summary >> nth=0")
    table = tab.text("details.why table")
    assert "Its words" in table
    assert "Score" in table
    tab.click("details.steps summary")
    assert "boat" in tab.text("details.steps")
    tab.shot("search-why")
    assert tab.violations() == []


def test_filters_narrow_and_stand_in_the_address(sign_in: SignIn) -> None:
    """A time in words says how it was read; what is not understood says what would be; clearing shows all."""
    tab = sign_in(f"/?namespace={HERE}")
    total = tab.text("#summary")
    tab.click("#filter-toggle")
    tab.fill("[name=tags]", "money")
    tab.wait("#hits >> text=landlord")
    tab.until("document.querySelectorAll('#hits [data-row]').length === 1")
    tab.fill("[name=time_expr]", "last week")
    tab.wait("text=No memory matches these filters")
    assert "Created from" in tab.text("#interval")
    tab.fill("[name=time_expr]", "the day of the tentacle")
    tab.wait("text=This search isn't valid")
    assert tab.count("[name=time_expr][aria-invalid=true]") == 1
    tab.fill("[name=time_expr]", "today")
    tab.wait("#hits >> text=landlord")
    tab.shot("search-filters")
    assert "time_expr=today" in tab.path
    assert "tags=money" in tab.path
    tab.do("reload")
    tab.settle()
    assert tab.count("#hits [data-row]") == 1
    tab.click("text=Clear filters")
    tab.until("!location.search.includes('tags')")
    assert total != ""


def test_a_section_leads_to_its_document(sign_in: SignIn, site: Site) -> None:
    """A hit names its document and headings; a filter takes the document by its title; the section says its place."""
    rigging, engine = "The halyard runs over the upper block.", "Change the oil every autumn."
    manual = f"# Boat manual\n\n## Rigging\n\n{rigging}\n\n## Engine\n\n{engine}\n"
    with site.client("reader-of-documents") as client:
        client.tool(
            "memory_ingest",
            content=manual,
            media_type="text/markdown",
            namespace="search-documents",
        )
    store(site, "The halyard was new in May.", namespace="search-documents")
    tab = sign_in("/?namespace=search-documents&query=halyard")
    tab.wait("#hits a.source >> text=Boat manual")
    assert tab.count("#hits [data-row]") >= 2
    tab.click("#filter-toggle") if not tab.js("!document.querySelector('#filters').hidden") else None
    tab.fill("[name=document_title]", "boat")
    tab.wait("#documents option[value='Boat manual']", "attached")
    tab.fill("[name=document_title]", "Boat manual")
    tab.until("location.search.includes('document=')")
    tab.wait("#hits >> text=The halyard was new in May", "hidden")
    tab.shot("search-document")
    tab.click("#hits a.passage >> text=upper block")
    tab.wait("#related >> text=From a document")
    assert "Rigging" in tab.text("#related")
    tab.click("text=Show all of this document's sections")
    tab.wait("#hits >> text=Change the oil")
    assert tab.js("document.querySelector('[name=document_title]').value") == "Boat manual"
    assert tab.errors == []


def test_completions_come_as_one_types(sign_in: SignIn) -> None:
    """Tags of the chosen namespace, and namespaces."""
    tab = sign_in(f"/?namespace={HERE}&type=fact")
    tab.fill("[name=tags]", "mon")
    tab.until("[...document.querySelectorAll('#tags option')].some((it) => it.value === 'money')")
    tab.fill("[name=tags]", "home, da")
    tab.until("[...document.querySelectorAll('#tags option')].some((it) => it.value === 'home, daily')")
    tab.fill("[name=namespace]", "sear")
    tab.until("[...document.querySelectorAll('#namespaces option')].some((it) => it.value === 'search')")


def test_what_others_store_is_announced_and_moves_nothing(sign_in: SignIn, site: Site) -> None:
    """A bar counts it within a second; the list changes when that is asked for."""
    tab = sign_in("/?namespace=search-live")
    tab.wait("text=Nothing is remembered yet")
    tab.shot("search-empty")
    tab.until("document.documentElement.dataset.live === 'on'")
    store(site, "Written by another client.", "And one more.", namespace="search-live")
    tab.wait(".news >> text=2 new memories")
    assert tab.count("#hits [data-row]") == 0
    tab.shot("search-news")
    tab.click(".news button")
    tab.until("document.querySelectorAll('#hits [data-row]').length === 2")
    tab.wait(".news", "hidden")


def test_what_others_change_is_announced(sign_in: SignIn, site: Site, browser: Browser) -> None:
    """Edits and deletions of what is shown; and after a lost connection, only where something has changed."""
    ids = store(site, "To be edited.", "To be deleted.", "Stays.", namespace="search-changes")
    tab = sign_in("/?namespace=search-changes", apart=True)
    tab.until("document.documentElement.dataset.live === 'on'")
    with site.client("editor") as client:
        client.tool("memory_update", id=ids[0], content="Edited by another client.")
        client.tool("memory_delete", id=ids[1], namespace="search-changes")
    tab.wait(".news >> text=2 changes")
    assert "To be deleted." in tab.text("#hits")
    tab.click(".news button")
    tab.wait("#hits >> text=Edited by another client.")
    tab.wait(".news", "hidden")
    next_reader = browser.open(site.url, context=tab.context)
    next_reader.goto("/?namespace=search-changes")
    next_reader.js(BREAKABLE)
    tab.do("close")
    looked = "performance.getEntriesByType('resource').filter((it) => it.name.includes('part=results')).length"
    next_reader.until(f"{looked} === 1")  # it has taken over, and has looked again
    assert next_reader.count(".news:visible") == 0
    next_reader.js("window.live.isAway = true; window.live.cut.abort()")
    next_reader.until("document.documentElement.dataset.live !== 'on'")
    store(site, "Written while nobody listened.", namespace="search-changes")
    next_reader.js("window.live.cut = new AbortController(); window.live.isAway = false")
    next_reader.wait(".news >> text=There may be other changes")
    next_reader.click(".news button")
    next_reader.wait("#hits >> text=Written while nobody listened.")


def test_what_a_search_does_without_is_said(browser: Browser) -> None:
    """Where no embedder runs, words are searched, and the cause and the way to its fix stand above the hits."""
    with tempfile.TemporaryDirectory(prefix="mm-", dir="/tmp") as name:
        folder = Path(name)
        settings = {
            "HOME": name,
            "PATH": "/usr/bin:/bin",
            "MCP_MEMORY_SQLITE_PATH": f"{name}/memory.db",
            "MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{name}/nobody.sock",
            "MCP_MEMORY_LOG_LEVEL": "debug",
        }
        site = Site(WebFront(FRONT, settings, folder), folder)
        try:
            store(site, "The key is under the mat.")
            tab = browser.open(site.url)
            tab.goto(f"/sign-in#{site.code()}")
            tab.goto("/?query=key+kestrel")
            tab.wait("text=Searched by words only")
            tab.shot("search-degraded")
            tab.click("#hits a.passage")
            tab.wait("text=so nothing can be compared with it")
            tab.close()
        finally:
            site.front.end()
        logged = "".join(site.front.rest())
        assert ("memory_search" in logged, "kestrel" in logged) == (True, False)


@pytest.mark.parametrize(("scheme", "size"), [("dark", None), ("light", SMALL)], ids=["dark", "small"])
def test_it_looks_finished_elsewhere(sign_in: SignIn, scheme: str, size: tuple[int, int] | None) -> None:
    """In the dark and on a small screen nothing overflows."""
    given = {"size": size} if size else {}
    tab = sign_in(f"/?namespace={HERE}&query=tea&type=note", scheme=scheme, **given)
    tab.wait("#hits mark")
    tab.click("details.why summary >> nth=0")
    tab.shot(f"search-{scheme}-{'small' if size else 'wide'}", full=True)
    assert tab.js("document.documentElement.scrollWidth <= innerWidth")
    assert tab.violations() == []
