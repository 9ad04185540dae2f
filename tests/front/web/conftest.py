"""The page on fakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.front.web.kit import PageSite


@pytest.fixture
def site(tmp_path: Path) -> PageSite:
    """Make a page."""
    return PageSite(tmp_path)
