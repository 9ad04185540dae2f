"""Documents, jobs, sources, health, tokens, backups, exports and imports on the page."""

from __future__ import annotations

import pytest

from tests.front.web.kit import PageSite

PATHS = ("/documents", "/jobs", "/sources", "/health", "/tokens", "/data")


@pytest.mark.parametrize("path", PATHS)
async def test_an_empty_view_is_shown(site: PageSite, path: str) -> None:
    browser = await site.sign_in()
    html = await browser.view(path)
    assert "<h1" in html
