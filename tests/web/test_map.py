"""The map in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.browser import SMALL, Tab
from tests.web.conftest import SignIn, Site, store

WHERE = "on-the-map"
ADDRESS = f"/map?namespace={WHERE}"
KINDS = {"fact": ("kitchen", "stove"), "plan": ("harbour",), "note": ()}


@pytest.fixture(scope="module")
def filled(site: Site) -> None:
    """Store what the map shows, in a namespace of its own."""
    for kind, tags in KINDS.items():
        contents = [f"{kind} number {number} about {' '.join(tags) or 'nothing'}" for number in range(25)]
        store(site, *contents, namespace=WHERE, type=kind, tags=list(tags))


def points(tab: Tab, count: int) -> None:
    """Wait until so many points are shown."""
    tab.until(f"document.querySelector('[data-legend]')?.textContent.includes('{count} memories on the map')")


@pytest.mark.usefixtures("filled")
def test_the_map_is_drawn_coloured_and_selected_in(sign_in: SignIn, site: Site) -> None:
    """By mouse and by keyboard; the front maps no numpy for it."""
    tab = sign_in(ADDRESS)
    points(tab, 75)
    assert tab.texts("[data-legend] bdi") == ["kitchen", "harbour", "no tags"]
    tab.shot("map-light", full=True)
    tab.do("selectOption", "[data-by]", "type")
    tab.until("document.querySelector('[data-legend]').textContent.includes('fact')")
    assert tab.path.endswith("by=type")
    tab.click("[data-legend] button:has-text('plan')")
    tab.do("focus", "[data-canvas]")
    tab.press("+", "ArrowLeft", "0", "v")
    tab.wait("[data-row]")
    assert tab.count("[data-row]") == 50
    assert "50 memories selected" in tab.text("[data-part=list]")
    tab.shot("map-selected", full=True)
    tab.click("[data-choose]")
    tab.wait("[data-change=tag]")
    tab.do("focus", "[data-canvas]")
    tab.press("Escape")
    tab.until("!document.querySelector('[data-row]')")
    assert tab.errors == []
    assert tab.violations() == []
    assert "numpy" not in Path(f"/proc/{site.front.process.pid}/maps").read_text()


@pytest.mark.usefixtures("filled")
def test_what_is_circled_is_listed_and_changed(sign_in: SignIn, site: Site) -> None:
    """All of it at once, also what the list does not show; the points change with it."""
    tab = sign_in(f"{ADDRESS}&by=type&type=plan")
    points(tab, 25)
    tab.click("[data-tool=lasso]")
    tab.js(
        """(() => {
          const canvas = document.querySelector('[data-canvas]');
          const { x, y, width, height } = canvas.getBoundingClientRect();
          const to = (name, right, down) => canvas.dispatchEvent(new PointerEvent(
            name, { clientX: x + right * width, clientY: y + down * height, pointerId: 1, bubbles: true }));
          canvas.setPointerCapture = () => {};
          to('pointerdown', 0.01, 0.01);
          for (const place of [[0.99, 0.01], [0.99, 0.99], [0.01, 0.99], [0.01, 0.01]]) to('pointermove', ...place);
          to('pointerup', 0.01, 0.01);
        })()"""
    )
    tab.click("[data-choose]")
    tab.click("[data-change=type]")
    tab.fill("dialog [name=value]", "idea")
    tab.press("Enter")
    tab.until("document.querySelector('.toast')")
    tab.goto(f"{ADDRESS}&by=type&type=idea")
    points(tab, 25)
    assert tab.errors == []


@pytest.mark.usefixtures("filled")
def test_what_others_store_is_told_and_placed(sign_in: SignIn, site: Site) -> None:
    """The map says so and does not change by itself."""
    tab = sign_in(f"{ADDRESS}&type=late", size=SMALL, scheme="dark")
    tab.wait("[data-legend] p")
    store(site, "a late one", "and another", namespace=WHERE, type="late")
    tab.wait(".news")
    tab.shot("map-small-dark", full=True)
    tab.click(".news button")
    tab.until(
        "/(2 are not placed yet|2 memories on the map)/.test(document.querySelector('[data-legend]').textContent)"
    )
    assert tab.errors == []
