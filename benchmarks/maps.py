"""`python -m benchmarks.maps [MEMORIES…]`: drawing a map, answering for one and for a timeline, frames in the browser.

The frames want chromium and `.node-web` (`make .node-web/.stamp`). A page moves and zooms a map as fast as it can for
some seconds each, and counts what it drew; 60 a second are the most that a browser draws.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.kit import daemon, say
from benchmarks.scale import NAMESPACE, fill, turns, vectors
from memory_mcp.domain.models import Filters
from memory_mcp.maintenance.leases import Lease
from memory_mcp.mapping.service import LEASE, Maps, MapState
from memory_mcp.memories.timeline import Timeline
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.web.browser import PROGRAMS, Browser
from tests.web.conftest import CHROMIUM, start_site

SIZES = (10_000, 100_000)
KNOWN = 100_000
HERE = [Filters(NAMESPACE)]
FRAMES = """
(async () => {
  const canvas = document.querySelector('[data-canvas]');
  const { x, y, width, height } = canvas.getBoundingClientRect();
  const middle = { clientX: x + width / 2, clientY: y + height / 2 };
  canvas.setPointerCapture = () => {};
  const fire = (name, right, down) => canvas.dispatchEvent(new PointerEvent(
    name, { clientX: middle.clientX + right, clientY: middle.clientY + down, pointerId: 1, bubbles: true }));
  const count = async (step) => {
    const begun = performance.now();
    const took = [];
    for (let last = begun, at = 0; performance.now() - begun < 4000; at++) {
      step(at);
      const now = await new Promise(requestAnimationFrame);
      took.push(now - last);
      last = now;
    }
    took.sort((one, other) => one - other);
    return [1000 * took.length / (performance.now() - begun), took[Math.floor(took.length * 0.99)]];
  };
  fire('pointerdown', 0, 0);
  const moved = await count((at) => fire('pointermove', 200 * Math.sin(at / 10), 100 * Math.cos(at / 10)));
  fire('pointerup', 0, 0);
  document.querySelector('[data-tool=all]').click();
  const zoomed = await count((at) => canvas.dispatchEvent(new WheelEvent('wheel', {
    ...middle, deltaY: 60 * Math.cos(at / 15), bubbles: true, cancelable: true })));
  return { moved, zoomed };
})()
"""


async def drawn(store: SqliteStore, maps: Maps) -> str:
    """Draw the map, and say what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    begun, most = time.perf_counter(), 0
    maps.draw(anew=True)
    while (await maps.progress()).state is MapState.DRAWING:
        most = max([most, *(each.memory_info().rss for each in psutil.Process().children())])
        await asyncio.sleep(0.05)
    took, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert await maps.current()
    size = store.path.with_name(f"{store.path.name}-map").stat().st_size
    cost = f"{used:.1f} s of processor time, {most / 1e6:.0f} MB at most"
    return f"drawn in {took:.1f} s ({cost}), a file of {size / 1e6:.1f} MB"


async def answered(store: SqliteStore, maps: Maps) -> str:
    """Return how long the server takes for what the views ask."""
    ms: dict[str, float] = {}
    for name, work in (
        ("points by tag", lambda: maps.points(HERE, "tag")),
        ("points by type", lambda: maps.points(HERE, "type")),
        ("timeline", lambda: Timeline(store).density(HERE[0])),
        ("timeline of one type", lambda: Timeline(store).density(Filters(NAMESPACE, type="note"))),
    ):
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            await work()
            took.append(1_000 * (time.perf_counter() - begun))
        ms[name] = sorted(took)[2]
    points = await maps.points(HERE, "tag")
    assert points is not None
    told = ", ".join(f"{name} {took:.0f} ms" for name, took in ms.items())
    return f"{told}; the points' message {len(points.message('')) / 1e6:.2f} MB"


def frames(folder: Path) -> str:
    """Return how many frames a second a browser draws of the store's map."""
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None or not PROGRAMS.exists():
        return "frames not measured: no chromium, or no .node-web"
    site, served = start_site(folder)
    browser = Browser(chromium)
    try:
        tab = browser.open(site.url)
        tab.goto(f"/sign-in#{site.code()}")
        begun = time.perf_counter()
        tab.goto("/map")
        tab.wait("[data-legend] button")
        shown = time.perf_counter() - begun
        found = tab.js(FRAMES)
        told = ", ".join(f"{name} {fps:.0f} frames/s (p99 {worst:.0f} ms)" for name, (fps, worst) in found.items())
        return f"shown after {shown:.1f} s; {told}"
    finally:
        browser.end()
        site.front.end()
        served.popen.terminate()
        served.popen.communicate()


async def main(arguments: Sequence[str]) -> None:
    """Measure each size."""
    sizes = [int(each.replace(",", "")) for each in arguments] or SIZES
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        async with daemon(place) as served:
            said = turns(min(KNOWN, max(sizes)))
            space, rows = await vectors(served, [turn.text for turn in said])
        for size in sizes:
            folder = Path(place) / str(size)
            folder.mkdir()
            await fill(folder / "memory.db", space, said, rows, size)
            store = SqliteStore(folder / "memory.db")
            maps = Maps(store, Lease(store, LEASE), folder / "memory.db-map")
            say(f"{size:,} memories: {await drawn(store, maps)}")
            say(f"{size:,} memories: {await answered(store, maps)}")
            await store.close()
            say(f"{size:,} memories: {await asyncio.to_thread(frames, folder)}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
