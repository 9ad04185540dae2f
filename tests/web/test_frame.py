"""The frame around the views."""

from __future__ import annotations

from tests.web.browser import Browser
from tests.web.conftest import SignIn, Site, store


def test_signing_in_leaves_a_clean_address(sign_in: SignIn) -> None:
    """The code is exchanged at once, and nothing of it stays in the address bar or the history."""
    tab = sign_in(apart=True)
    assert tab.path == "/"
    tab.shot("frame-light")
    assert tab.errors == []


def test_an_old_link_ends_no_session(sign_in: SignIn, site: Site, browser: Browser) -> None:
    """Who is signed in goes on; who is not is told."""
    tab = sign_in()
    used = site.code()
    other = browser.open(site.url)
    other.goto(f"/sign-in#{used}")
    other.close()
    tab.goto(f"/sign-in#{used}")
    assert tab.path == "/"
    assert tab.count("#signed-out[open]") == 0
    stranger = browser.open(site.url)
    stranger.do("goto", f"/sign-in#{used}")
    stranger.wait("#signed-out-why:has-text('already used')")
    stranger.close()


def test_one_stream_serves_all_tabs(sign_in: SignIn, site: Site, browser: Browser) -> None:
    """More tabs than connections to an origin: each works, and hears of writes also without the first."""
    address = "/?namespace=tabs"
    first = sign_in(address, apart=True)
    others = [browser.open(site.url, context=first.context) for _ in range(7)]
    for tab in others:
        tab.goto(address)
        tab.until("document.documentElement.dataset.live === 'on'")
    streams = [request for tab in (first, *others) for request in tab.requests if request.endswith("/view/live")]
    assert len(streams) == 2  # the first tab's, before and after it went to the address
    store(site, "Heard in each tab.", namespace="tabs")
    for tab in (first, *others):
        tab.wait(".news >> text=1 new memory")
    first.do("close")
    store(site, "Heard after the first tab was closed.", namespace="tabs")
    for tab in others:
        tab.wait(".news >> text=/2 new memories|other changes/")
