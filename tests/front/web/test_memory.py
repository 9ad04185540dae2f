"""A memory's page and the trash, below the browser."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from memory_mcp.domain.models import Change, NewMemory
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.server.web.cards import address
from tests.contracts.library import ingest
from tests.front.web.kit import READ_WRITE, PageSite, SignedIn

HERE = Reach("default")


async def put(site: PageSite, name: str, content: str = "", **fields: object) -> None:
    """Store a memory."""
    new = NewMemory(content or f"text {name}", **({"namespace": "default", "id": name} | fields))  # type: ignore[arg-type]  # fields of any kind
    await site.services.memories.store(new)


async def raw(browser: SignedIn, name: str, **asked: str | int) -> str:
    """Return a part of a memory's page."""
    return (await browser.http.get(f"/raw/{name}", params=asked)).raise_for_status().text


def content_of(html: str) -> str:
    """Return the content that a memory's page shows."""
    found = re.search(r'id="content" dir="auto">(.*?)</div>', html, re.DOTALL)
    assert found is not None
    return unescape(re.sub(r"<[^>]*>", "", found[1]))


async def test_an_edit_is_made_of_the_revision_that_was_read(site: PageSite) -> None:
    """A later one is not overwritten: both texts come back, with their difference, and nothing is written."""
    await put(site, "a", "Meet at five.", tags=("t",))
    browser = await site.sign_in(READ_WRITE)
    saved = await browser.act("memory.edit", id="a", content="Meet at six.", tags=[], expected_revision=1)
    assert saved["data"] == {"revision": 2}
    late = await browser.act("memory.edit", id="a", content="Meet at seven.", type="fact", expected_revision=1)
    assert late["data"] == {"conflict": 2}
    assert "<del>six.</del><ins>seven.</ins>" in late["html"]
    assert "Meet at six." in late["html"]
    memory = await site.services.memories.get("a", HERE)
    assert (memory.content, memory.tags, memory.revision) == ("Meet at six.", (), 2)
    assert "expected_revision" in await browser.refusal("memory.edit", id="a", content="blind")
    assert "must not be blank" in await browser.refusal("memory.edit", id="a", content=" \n", expected_revision=2)


async def test_the_history_tells_what_changed(site: PageSite) -> None:
    """The latest first, word by word, older ones on request; an earlier text can be read and brought back."""
    await put(site, "a", "version 0")
    for number in range(1, 36):
        await site.services.memories.update("a", HERE, Change(content=f"version {number}"), None)
    browser = await site.sign_in()
    html = await raw(browser, "memory.history", id="a")
    assert html.index("Revision 35 → 36") < html.index("Revision 7 → 8")
    assert "<del>34</del><ins>35</ins>" in html
    assert "Show 5 older revisions" in html
    older = await raw(browser, "memory.history", id="a", before=6)
    assert "Revision 5 → 6" in older
    assert "Revision 6 → 7" not in older
    assert await raw(browser, "memory.content", id="a", revision=3) == "version 2"
    back = await browser.act("memory.revert", id="a", revision=3, expected_revision=36)
    assert back["data"] == {"revision": 37}
    assert (await site.services.memories.get("a", HERE)).content == "version 2"
    assert "37" in await browser.refusal("memory.revert", id="a", revision=3, expected_revision=36)


async def test_a_history_that_is_too_long_to_compare_says_so(site: PageSite) -> None:
    """It does not hold up the front for minutes."""
    await put(site, "a", "x " * 400_000)
    for letter in "yz":
        await site.services.memories.update("a", HERE, Change(content=f"{letter} " * 400_000), None)
    html = await raw(await site.sign_in(), "memory.history", id="a")
    assert html.count("too long to compare") == 1


@pytest.mark.parametrize("memory_id", ["a/b", "..", "../x", "a//b", "?#%", "a b", "日本", "."])
async def test_the_address_of_any_id(site: PageSite, memory_id: str) -> None:
    """The address that lists give leads to it; a browser takes no dots for a folder."""
    await put(site, memory_id, "found")
    made = address(memory_id, "", "found")
    assert not re.search(r"/\.{1,2}(/|\?|$)", made)
    assert content_of(await (await site.sign_in()).view(made)) == "found"


async def test_what_lies_around(site: PageSite) -> None:
    """Neighbours of the conversation, and near duplicates of the same namespace."""
    for number in range(4):
        await put(site, f"m{number}", f"turn {number}", conversation_id="talk")
    await put(site, "twin", "TURN 1!")
    await put(site, "other", "turn 1", namespace="theirs")
    html = await raw(await site.sign_in(), "memory.related", id="m1")
    assert [html.index(f"turn {number}") for number in (0, 2, 3)] == sorted(html.index(f"turn {n}") for n in (0, 2, 3))
    assert "TURN 1!" in html
    assert "The same words" in html
    assert "theirs" not in html


async def test_nothing_out_of_reach_is_shown(site: PageSite) -> None:
    """Nor said to exist: it is missing, as what does not exist is."""
    await put(site, "a", namespace="theirs")
    await put(site, "b", namespace="theirs")
    await site.services.memories.delete("b", Reach("theirs"), dry_run=False)
    browser = await site.sign_in(READ_WRITE, namespace="mine")
    for name in "ab":
        missing = await browser.http.get(f"/view/memories/{name}")
        assert missing.status_code == 404
        assert "does not exist" in missing.json()["error"]
        assert missing.json()["error"].replace(repr(name), "ID") == (
            await browser.http.get("/view/memories/nobody")
        ).json()["error"].replace("'nobody'", "ID")
    for part in ("related", "history", "content"):
        assert (await browser.http.get(f"/raw/memory.{part}", params={"id": "a"})).status_code == 404
    assert "no memory" in await browser.refusal("memory.edit", id="a", content="x", expected_revision=1)
    assert "can only reach" in await browser.refusal("memories.change", ids=["b"], change="restore", namespace="theirs")
    assert (await browser.http.get("/view/trash?namespace=theirs")).status_code == 403
    assert "0" not in re.findall(r"(\d+) deleted", await browser.view("/trash"))


async def test_a_reader_sees_no_controls(site: PageSite) -> None:
    """And is refused when it calls what they would."""
    await put(site, "a")
    reader = await site.sign_in((Scope.READ,))
    html = await reader.view("/memories/a")
    assert not [control for control in ("data-edit", "data-delete", "<form") if control in html]
    for name, body in (
        ("memory.edit", {"content": "x", "expected_revision": 1}),
        ("memory.revert", {"revision": 1, "expected_revision": 1}),
    ):
        assert "scope" in await reader.refusal(name, id="a", **body)


async def test_who_edits_a_section_is_told_what_replaces_it(site: PageSite) -> None:
    """The next reading of a file that has changed there."""
    await put(site, "note")
    await ingest(site.store.documents, "file:///a", "d1", ["text"], namespace="default")
    browser = await site.sign_in(READ_WRITE)
    listed = await browser.view("/?type=document")
    section = re.findall(r'href="(/memories/[^"?]+)', listed)[0]
    assert "This is a section of a document." in await browser.view(section)
    assert "This is a section of a document." not in await browser.view("/memories/note")


async def test_the_trash(site: PageSite) -> None:
    """Its memories have a page that says so; they are restored, or removed for good by who may do everything."""
    for name in "abc":
        await put(site, name)
        await site.services.memories.delete(name, HERE, dry_run=False)
    await put(site, "other", namespace="theirs")
    await site.services.memories.delete("other", Reach("theirs"), dry_run=False)
    writer, admin = await site.sign_in(READ_WRITE), await site.sign_in()
    assert "This memory was deleted" in await writer.view("/memories/a")
    html = await writer.view("/trash")
    assert "3 deleted memories" in html
    assert "data-purge" not in html
    assert "data-empty" not in html
    before = re.search(r'data-empty="([^"]+)"', await admin.view("/trash"))
    assert before is not None
    assert "scope" in await writer.refusal("trash.purge", before=before[1])
    await put(site, "later")
    await site.services.memories.delete("later", HERE, dry_run=False)
    assert (await admin.act("trash.purge", before=before[1], ids=["a"]))["message"] == "Removed 1 memory for good"
    assert (await admin.act("trash.purge", before=before[1]))["message"] == "Removed 2 memories for good"
    assert "1 deleted memory" in await admin.view("/trash")  # what was deleted since the page was read
    assert "1 deleted memory" in await admin.view(f"/trash?namespace={quote('theirs')}")
    assert (await admin.http.get("/view/memories/a")).status_code == 404
