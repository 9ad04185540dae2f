"""The views of the map and of the timeline."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from memory_mcp.domain.models import NewMemory
from memory_mcp.domain.principal import Scope
from memory_mcp.mapping.points import MOST_OF_ONE
from tests.front.web.kit import READ_WRITE, PageSite, SignedIn


async def store(site: PageSite, *contents: str, namespace: str = "default", tags: tuple[str, ...] = ()) -> None:
    """Store memories with their vectors."""
    day = datetime(2026, 3, 5, 12, tzinfo=UTC)
    for each in contents:
        await site.services.memories.store(NewMemory(each, namespace, tags, created_at=day))


async def drawn(site: PageSite) -> None:
    """Draw the map, and wait until that is over."""
    site.services.maps.draw(anew=True)
    assert site.services.maps._task is not None
    await asyncio.wait_for(asyncio.shield(site.services.maps._task), 60)


async def header(browser: SignedIn, query: str = "") -> dict[str, Any]:
    """Return the header of the points."""
    message = (await browser.http.get(f"/raw/map.points{query}")).raise_for_status().content
    size = int.from_bytes(message[:4], "little")
    found: dict[str, Any] = json.loads(message[4 : 4 + size])
    return found


async def test_a_map_is_drawn_when_it_is_first_looked_at(site: PageSite) -> None:
    """The view says so, and the points come when it is done."""
    await store(site, *(f"memory {number}" for number in range(12)), tags=("red",))
    browser = await site.sign_in()
    assert 'data-state="drawing"' in await browser.view("/map")
    assert (await browser.http.get("/raw/map.points")).content == b""
    await drawn(site)
    assert 'data-state="ready"' in await browser.view("/map?part=state")
    assert (await header(browser))["legend"][0] == ["red", 12]
    await site.services.maps.close()


async def test_what_is_stored_while_the_map_is_looked_at_is_added(
    site: PageSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the last round is so recent that the view begins no other: the page asks for its points again."""
    monkeypatch.setattr("memory_mcp.mapping.service.EVERY_S", 0.0)
    await store(site, *(f"memory {number}" for number in range(12)))
    await drawn(site)
    browser = await site.sign_in()
    await store(site, "one more")
    async with asyncio.timeout(60):
        while (await header(browser))["points"] < 13:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.05)
    await site.services.maps.close()


async def test_a_tokens_map_has_what_lies_within_its_reach(site: PageSite) -> None:
    """Neither points, nor numbers of points, nor namespaces of others."""
    await store(site, *(f"here {number}" for number in range(6)))
    await store(site, *(f"secret {number}" for number in range(7)), namespace="secret")
    await drawn(site)
    owner, guest = await site.sign_in(), await site.sign_in(READ_WRITE, "secret")
    everything = await header(owner, "?namespace=*&by=namespace")
    assert sorted(each for each in everything["legend"] if each[1]) == [["default", 6], ["secret", 7]]
    own = await header(guest, "?namespace=*&by=namespace")
    assert [each for each in own["legend"] if each[1]] == [["secret", 7]]
    assert (await guest.http.get("/raw/map.points?namespace=default")).status_code == 403
    assert "default" not in await guest.view("/map")
    assert "secret" in await guest.view(f"/map?part=list&sheet={own['sheet']}&points=0.6")
    assert (await guest.http.get(f"/view/map?part=list&sheet={everything['sheet']}&points=0")).status_code == 404
    assert "load the map again" in await guest.refusal("map.at", sheet=everything["sheet"], points=[0])
    at = (await owner.act("map.at", sheet=everything["sheet"], points=list(range(13))))["data"]["memories"]
    assert sorted({namespace for _, namespace in at}) == ["default", "secret"]


async def test_points_are_remembered_for_each_caller(site: PageSite) -> None:
    """However often others load the map; and a memory that another store has under the same key is out of reach."""
    await store(site, *(f"secret {number}" for number in range(12)), namespace="secret")
    await drawn(site)
    owner, guest = await site.sign_in(), await site.sign_in(READ_WRITE, "secret")
    everything = await header(owner, "?namespace=secret")
    sheets = [(await header(guest))["sheet"] for _ in range(2 * MOST_OF_ONE)]
    assert len((await owner.act("map.at", sheet=everything["sheet"], points=[0]))["data"]["memories"]) == 1
    assert "load the map again" in await guest.refusal("map.at", sheet=sheets[0], points=[0])
    at = {"sheet": sheets[-1], "points": list(range(12))}
    assert len((await guest.act("map.at", **at))["data"]["memories"]) == 12
    held = site.store.shelves.memories
    held.update({key: replace(memory, namespace="default") for key, memory in held.items()})
    assert (await guest.act("map.at", **at))["data"]["memories"] == []


async def test_who_only_reads_cannot_have_it_drawn_again(site: PageSite) -> None:
    """The button is not shown, and the call refused."""
    reader = await site.sign_in((Scope.READ,))
    assert "data-draw" not in await reader.view("/map")
    assert "scope" in await reader.refusal("map.draw")
    bound = await site.sign_in(tuple(Scope), namespace="work")
    assert "all namespaces" in await bound.refusal("map.draw")
    assert "data-draw" not in await bound.view("/map")
    assert (await bound.http.get("/view/map?namespace=other")).status_code == 403


async def test_a_read_only_front_says_that_it_draws_none(tmp_path: Any) -> None:
    """It leaves no file behind."""
    site = PageSite(tmp_path, read_only=True)
    browser = await site.sign_in()
    assert "this server only reads" in await browser.view("/map")
    assert not list(tmp_path.glob("*-map"))


async def test_a_timeline_counts_and_lists_what_the_filters_let_pass(site: PageSite) -> None:
    """The table has what the chart shows; a row leads to its memories."""
    await store(site, "to be found", tags=("red",))
    await store(site, "<script>alert(1)</script>", tags=("blue",))
    browser = await site.sign_in()
    assert "2 memories" in await browser.view("/timeline")
    red = await browser.view("/timeline?tags=red")
    assert "1 memory" in red
    assert 'data-count="1"' in red
    listed = await browser.view("/timeline?since=2026-03-05T12:00:00Z&until=2026-03-05T13:00:00Z&part=list")
    assert "to be found" in listed
    assert "&lt;script&gt;" in listed
    assert "No memory matches" in await browser.view("/timeline?tags=none")
    assert "time_expr" in (await browser.http.get("/view/timeline?time_expr=whenever")).json()["error"]


@pytest.mark.parametrize("query", ["namespace=other", "namespace=*"])
async def test_a_tokens_timeline_stays_within_its_reach(site: PageSite, query: str) -> None:
    """Another namespace is refused."""
    guest = await site.sign_in(READ_WRITE, "mine")
    assert (await guest.http.get(f"/view/timeline?{query}")).status_code == 403
