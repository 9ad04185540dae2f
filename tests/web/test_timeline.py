"""The timeline in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.web.browser import SMALL
from tests.web.conftest import SignIn, Site, store

WHERE = "in-time"
ADDRESS = f"/timeline?namespace={WHERE}"
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(site: Site) -> None:
    """Store what the chart shows, in a namespace of its own."""
    for day in (0, 0, 0, 30, 31, 400):
        store(
            site, f"day {day} {datetime.now(UTC)}", namespace=WHERE, created_at=(NOON + timedelta(days=day)).isoformat()
        )


@pytest.mark.usefixtures("filled")
def test_the_timeline_is_zoomed_and_lists_a_bar(sign_in: SignIn) -> None:
    """By keyboard; the address keeps the interval and the bar, so that they can be gone back to."""
    tab = sign_in(ADDRESS)
    tab.wait("[data-bars]")
    assert "6 memories" in tab.text("[data-part=chart]")
    assert "by week" in tab.text("[data-part=chart]")
    tab.shot("timeline-light")
    tab.do("focus", "[data-bars]")
    tab.press("Home", "Enter")
    tab.wait("[data-row]")
    assert tab.count("[data-row]") == 3
    tab.press("+", "+")
    tab.until("document.querySelector('[data-part=chart]').textContent.includes('by day')")
    tab.shot("timeline-zoomed", full=True)
    tab.goto(tab.path)
    assert "by day" in tab.text("[data-part=chart]")
    assert tab.count("[data-row]") == 3
    tab.click("[data-zoom=all]")
    tab.until("document.querySelector('[data-part=chart]').textContent.includes('6 memories')")
    assert "after" not in tab.path
    assert tab.errors == []
    assert tab.violations() == []


@pytest.mark.usefixtures("filled")
def test_the_table_says_what_the_chart_shows(sign_in: SignIn) -> None:
    """And leads to the same lists, without a mouse or a canvas."""
    tab = sign_in(ADDRESS, size=SMALL, scheme="dark")
    tab.click(".timeline-table summary")
    tab.shot("timeline-small-dark", full=True)
    tab.click(".timeline-table a >> nth=0")
    tab.wait("[data-row]")
    assert tab.count("[data-row]") == 3
    assert tab.errors == []


@pytest.mark.usefixtures("filled")
def test_dragging_zooms(sign_in: SignIn) -> None:
    """To what was dragged over."""
    tab = sign_in(ADDRESS)
    tab.wait("[data-bars]")
    tab.js(
        """(() => {
          const bars = document.querySelector('[data-bars]');
          const { x, y, width } = bars.getBoundingClientRect();
          bars.setPointerCapture = () => {};
          const to = (name, share) => bars.dispatchEvent(new PointerEvent(
            name, { clientX: x + 44 + share * (width - 48), clientY: y + 50, pointerId: 1, bubbles: true }));
          to('pointerdown', 0);
          to('pointermove', 0.05);
          to('pointermove', 0.1);
          to('pointerup', 0.1);
        })()"""
    )
    tab.until("document.querySelector('[data-part=chart]').textContent.includes('5 memories')")
    assert "by day" in tab.text("[data-part=chart]")


def test_an_empty_namespace_says_what_to_do(sign_in: SignIn) -> None:
    """Neither view shows an empty chart."""
    tab = sign_in("/timeline?namespace=nothing-here")
    assert "No memories yet" in tab.text()
    tab.goto("/map?namespace=nothing-here")
    tab.shot("map-empty")
    assert tab.errors == []
