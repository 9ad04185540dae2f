"""Signing in, and what holds a session together."""

from __future__ import annotations

from tests.front.web.kit import PageSite


async def test_a_link_signs_in_once(site: PageSite) -> None:
    """The first use opens a session; the second says why not."""
    async with site.http() as http:
        code = await site.code(http)
        assert (await http.post("/sign-in", json={"code": code})).status_code == 200
        again = await http.post("/sign-in", json={"code": code})
        assert again.status_code == 403
        assert "used already" in again.json()["error"]


async def test_every_view_is_shown(site: PageSite) -> None:
    """A signed-in browser gets the view's HTML."""
    browser = await site.sign_in()
    assert "<h1" in await browser.view("/")
