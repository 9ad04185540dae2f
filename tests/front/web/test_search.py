"""What the search answers a browser, below the browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memory_mcp.domain.documents import DocumentTitle
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import NewMemory
from memory_mcp.domain.names import folded, nfc
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.server.web.views.search import SearchPageArguments
from memory_mcp.tools.base import parse
from memory_mcp.tools.json_text import tags_text
from tests.contracts.library import ingest
from tests.front.web.kit import READ_WRITE, PageSite, SignedIn


async def put(site: PageSite, *contents: str, **fields: object) -> None:
    """Store memories whose ids are their contents."""
    for content in contents:
        new = NewMemory(content, **({"namespace": "default", "id": content[:60]} | fields))  # type: ignore[arg-type]  # fields of any kind
        await site.services.memories.store(new)


def shown(html: str) -> list[str]:
    """Return the contents of the cards, without marks."""
    passages = re.findall(r'<a class="passage[^>]*>(.*?)</a>', html, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", passage)) for passage in passages]


def words(html: str) -> str:
    """Return what a page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", " ", html))


async def test_a_search_is_ranked_and_explained(site: PageSite) -> None:
    """Hits come in the ranking's order with marked words; each says the parts of its score, which sum up to it."""
    await put(site, "green tea in the morning", "the teapot is green", "coffee at four")
    html = await (await site.sign_in()).view("/?query=green+tea")
    assert shown(html)[0] == "green tea in the morning"
    assert "<mark>green tea</mark>" in html
    for table in re.findall(r'<table class="why-table">(.*?)</table>', html, re.DOTALL):
        *parts, score = [float(number) for number in re.findall(r"([+-]?\d\.\d\d)<", table)]
        assert sum(parts) == pytest.approx(score, abs=0.02)
    assert "How this search was interpreted" in html


async def test_an_empty_query_lists_the_newest(site: PageSite) -> None:
    """Page by page; the address has the filters under the tools' names, and blank ones count for nothing."""
    for day in range(1, 5):
        await put(site, f"day {day}", created_at=datetime(2026, 5, day, tzinfo=UTC), tags=("t",))
    browser = await site.sign_in()
    first = await browser.view("/?query=&tags=&type=&limit=3")
    assert shown(first) == ["day 4", "day 3", "day 2"]
    assert "4 memories, newest first" in first
    cursor = re.search(r'data-more="([^"]+)"', first)
    assert cursor is not None
    asked: dict[str, str | int] = {"part": "results", "limit": 3, "cursor": unescape(cursor[1])}
    rest = (await browser.http.get("/view/", params=asked)).text
    assert shown(rest) == ["day 1"]
    assert "<form" not in rest
    narrow = await browser.view("/?after=2026-05-02&before=2026-05-03&tags=t")
    assert shown(narrow) == ["day 2"]
    without = re.findall(r'href="([^"]+)" aria-label="Remove this filter"', narrow)
    assert [shown(await browser.view(unescape(address))) for address in without] == [
        ["day 2", "day 1"],
        ["day 4", "day 3", "day 2"],
    ]


async def test_a_time_in_words_is_shown_as_it_was_read(site: PageSite) -> None:
    """And one that is not understood shows nothing, names itself and says what would be."""
    await put(site, "in May", created_at=datetime(2026, 5, 7, tzinfo=UTC))
    browser = await site.sign_in()
    html = await browser.view("/?time_expr=in+May+2026")
    assert shown(html) == ["in May"]
    assert "2026-05-01" in words(html)
    assert "2026-06-01" in words(html)
    refused = await browser.view("/?time_expr=the+day+of+the+tentacle")
    assert shown(refused) == []
    assert "time_expr" in refused
    assert "last week" in words(refused)
    assert "ISO 8601" not in words(refused)


async def test_what_a_search_did_without_is_said(site: PageSite) -> None:
    """Without an embedder words are searched, and the cause stands there with the way to its fix."""
    site.embedder.failure = EmbedderError("the embedder is down; start it")
    await put(site, "the key is under the mat")
    html = await (await site.sign_in()).view("/?query=key")
    assert shown(html) == ["the key is under the mat"]
    assert "Searched by words only" in html
    assert "the embedder is down" in html
    assert 'href="/health"' in html


async def test_a_long_content_is_shown_around_the_words(site: PageSite) -> None:
    """Never whole, and never from the middle of a word."""
    filler = " ".join(f"filler{n}" for n in range(3_000))
    await put(site, f"{filler} the umbrella lies in the cellar {filler}", id="long")
    [passage] = shown(await (await site.sign_in()).view("/?query=umbrella+cellar&mode=keyword"))
    assert "umbrella lies in the cellar" in passage
    assert re.match(r"…(filler\d+|the) ", passage)
    assert passage.endswith("…")
    assert len(passage) < 400


async def test_everything_is_text(site: PageSite) -> None:
    """Whatever a content, a tag, a type or an id holds is shown, not run."""
    evil = '"><script>alert(1)</script>'
    await put(site, f"tea {evil}", id=f"id{evil}", tags=(evil,), type=evil, conversation_id=evil)
    browser = await site.sign_in()
    for path in ("/?query=tea", "/", f"/?tags={evil}"):
        html = await browser.view(path)
        assert "<script>alert" not in html
        assert shown(html) == [f"tea {evil}"]


async def test_a_reach_is_kept(site: PageSite) -> None:
    """The holder of a token for one namespace neither finds, lists nor completes what lies in another."""
    await put(site, "secret of others", namespace="theirs", tags=("hidden",))
    await put(site, "mine", namespace="mine", tags=("open",))
    browser = await site.sign_in((Scope.READ,), namespace="mine")
    assert shown(await browser.view("/")) == ["mine"]
    assert "can only reach" in words(await browser.view("/?namespace=theirs"))
    assert await suggestions(browser, kind="tags") == ["open"]
    assert await suggestions(browser, kind="namespace") == ["mine"]
    refused = await browser.http.get("/raw/search.suggest", params={"kind": "tags", "namespace": "theirs"})
    assert refused.status_code == 403
    assert "data-select" not in await browser.view("/")  # it may not write


async def suggestions(browser: SignedIn, **asked: str) -> list[str]:
    """Return what a filter may be completed to."""
    answer = await browser.http.get("/raw/search.suggest", params=asked)
    return [one["label"] for one in answer.raise_for_status().json()]


async def test_completions(site: PageSite) -> None:
    """Tags and namespaces that begin so."""
    await put(site, "a", tags=("home", "house", "work"))
    await put(site, "b", namespace="hobby", tags=("hat",))
    browser = await site.sign_in()
    assert await suggestions(browser, kind="tags", prefix="ho") == ["home", "house"]
    assert await suggestions(browser, kind="tags", prefix="h", namespace="hobby") == ["hat"]
    assert await suggestions(browser, kind="namespace", prefix="ho") == ["hobby"]
    assert await suggestions(browser, kind="document", prefix="x") == []


async def test_any_document_is_found_by_its_title(site: PageSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, the newest first, whatever the letters' case; without a title by its file's name."""
    monkeypatch.setattr("memory_mcp.documents.ingesting.TITLES", 2)
    for number in range(5):
        await ingest(site.store.documents, f"file:///{number}", f"d{number}", ["text"], namespace="default")
    await ingest(site.store.documents, "file:///other", "d9", ["text"], namespace="elsewhere")
    browser = await site.sign_in()
    answer = await browser.http.get("/raw/search.suggest", params={"kind": "document", "prefix": "TITLE OF FILE"})
    assert [each["label"] for each in answer.json()] == [f"Title of file:///{number}" for number in (4, 3, 2, 1, 0)]
    assert len(await suggestions(browser, kind="document", prefix="///0")) == 1
    assert DocumentTitle(1, "id", None, "file:///a%20b.txt").name == "a b.txt"


TAG = st.text(min_size=1, max_size=20).map(str.strip).filter(lambda tag: tag and not tag.startswith("["))


@given(st.lists(TAG | st.sampled_from(["x, y", '"', "{", "null", "a]"]), min_size=1, max_size=4, unique_by=folded))
def test_any_tags_stand_in_an_address(tags: list[str]) -> None:
    """What the page writes of tags is read as the same tags."""
    assume(not any(tag.startswith("{") and tag[1:].lstrip().startswith('"') for tag in tags))  # refused in any form
    assert parse(SearchPageArguments, {"tags": tags_text(tags)}).tags == [nfc(tag) for tag in tags]


async def test_a_tag_with_a_comma_is_found_by_its_chip(site: PageSite) -> None:
    """Also after another filter was taken away; whole where its memory is edited."""
    await put(site, "odd", tags=("x, y", "z"))
    await put(site, "plain", tags=("x",))
    browser = await site.sign_in()
    chip = re.search(r'href="(/\?tags=[^"]*)"[^>]*>(?:<[^>]*>)*x, y', await browser.view("/"))
    assert chip is not None
    assert shown(await browser.view(unescape(chip[1]))) == ["odd"]
    narrow = await browser.view("/?tags=%5B%22x,%20y%22%5D&tags=z&tag_match=all&conversation_id=none")
    [without] = re.findall(r'href="([^"]+)" aria-label="Remove this filter"', narrow)
    assert without.count("tags=") == 1
    assert shown(await browser.view(unescape(without))) == ["odd"]
    edited = (await browser.http.get("/raw/memory.content", params={"id": "odd"})).json()
    await browser.act("memory.edit", id="odd", tags=edited["tags"], expected_revision=1)
    assert (await site.services.memories.get("odd", Reach("default"))).tags == ("x, y", "z")


async def test_a_bulk_change_needs_the_right_to_write(site: PageSite) -> None:
    """And a count first, which names what will be changed; all of a namespace at once is never chosen."""
    await put(site, "a", "b", tags=("t",))
    await put(site, "c")
    browser = await site.sign_in(READ_WRITE)
    matching = await browser.act("memories.matching", tags=["t"])
    assert (matching["data"]["count"], sorted(matching["data"]["ids"])) == (2, ["a", "b"])
    assert "filter" in await browser.refusal("memories.matching", namespace="default")
    changed = await browser.act("memories.change", change="tag", ids=["a", "gone"], tags=["new"])
    assert [one["id"] for one in changed["data"]["done"]] == ["a"]
    assert [one["id"] for one in changed["data"]["refused"]] == ["gone"]
    assert changed["message"] == "Tagged 1 memory"
    undone = await browser.act("memories.undo", change="tag", done=changed["data"]["done"])
    assert undone["message"] == "Undid 1 change"
    assert "tags" in await browser.refusal("memories.change", change="tag", ids=["a"])
    assert "type" in await browser.refusal("memories.change", change="type", ids=["a"])
    reader = await site.sign_in((Scope.READ,))
    for name, body in (("memories.change", {"change": "delete", "ids": ["a"]}), ("memories.matching", {"tags": ["t"]})):
        assert "scope" in await reader.refusal(name, **body)
    assert "scope" in await reader.refusal("memories.undo", change="tag", done=[{"id": "a", "revision": 2}])
