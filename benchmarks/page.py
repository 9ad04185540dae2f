"""How long the page's views take on a large store: `python -m benchmarks.page [--memories N] [--store FILE]`.

The server's time of each view, asked in turns over one connection without the response cache, and what a browser says
of its first paint where there is one (chromium, and `make .node-web/.stamp`). The daemon has the hash engine.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.http_load import Front, serving
from benchmarks.kit import FRONT, daemon, percentile, say
from benchmarks.scale import fill, turns, vectors
from tests.web.browser import PROGRAMS, Browser, Tab

DISTINCT = 20_000
ROUNDS = 20
WARM = 3


def views(http: httpx2.Client) -> dict[str, str]:
    """Return the address of each view that a token with read and write may see."""
    listed = http.get("/view/").raise_for_status().text
    memory = html.unescape(re.findall(r'href="(/memories/[^"]+)"', listed)[0])
    return {
        "newest": "/",
        "search, 3 words": "/?query=restaurant+table+tonight",
        "search, a sentence": "/?query=which+restaurant+did+we+book+a+table+at+for+tonight",
        "search, by tag": "/?query=table&tags=none",
        "search, by time": "/?query=table&time_expr=last+week",
        "memory": memory,
        "timeline": "/timeline",
        "timeline, one type": "/timeline?type=note",
        "documents": "/documents",
        "jobs": "/jobs",
        "trash": "/trash",
        "sources": "/sources",
        "health": "/health",
    }


@contextmanager
def signed_in(front: Front) -> Iterator[httpx2.Client]:
    """Sign in as the token's holder."""
    with httpx2.Client(base_url=front.url.removesuffix("/mcp"), timeout=60) as http:
        answer = http.post("/sign-in", json={"token": front.token}).raise_for_status()
        http.headers["X-Page-Secret"] = answer.json()["secret"]
        yield http


def ask(http: httpx2.Client, path: str) -> float:
    """Return the seconds of one view."""
    begun = time.perf_counter()
    http.get(f"/view{path}").raise_for_status()
    return time.perf_counter() - begun


def in_turns(front: Front, http: httpx2.Client, asked: Mapping[str, str]) -> None:
    """Print each view's times, and how long the processors worked for it, which does not depend on other programs."""
    took: dict[str, list[float]] = {name: [] for name in asked}
    worked = dict.fromkeys(asked, 0.0)
    for number in range(WARM + ROUNDS):
        for name, path in asked.items():
            before = front.cpu_s()
            seconds = ask(http, path)
            if number >= WARM:
                took[name].append(1e3 * seconds)
                worked[name] += 1e3 * (front.cpu_s() - before) / ROUNDS
    for name, each in took.items():
        p50, p95 = percentile(each, 0.5), percentile(each, 0.95)
        say(f"{name:20} least {min(each):6.1f} ms, p50 {p50:6.1f}, p95 {p95:6.1f}; processor {worked[name]:5.1f} ms")


def paint(front: Front, asked: Mapping[str, str]) -> None:
    """Print when a browser has painted first, and when the view is there."""
    chromium = shutil.which("chromium")
    if chromium is None or not PROGRAMS.exists():
        say("no browser: first paint was not measured")
        return
    browser = Browser(chromium)
    tab = browser.open(front.url.removesuffix("/mcp"))
    tab.do("goto", "/")
    tab.fill("[name=token]", front.token)
    tab.press("Enter")
    tab.settle()
    for name in ("newest", "search, 3 words", "memory", "timeline"):
        first, shown = zip(*(_painted(tab, asked[name]) for _ in range(5)), strict=True)
        painted, there = percentile(list(first), 0.5), percentile(list(shown), 0.5)
        say(f"{name:20} first paint {painted:6.0f} ms, shown {there:6.0f} ms")
    browser.end()


def _painted(tab: Tab, path: str) -> tuple[float, float]:
    begun = time.perf_counter()
    tab.goto(path)
    shown = 1e3 * (time.perf_counter() - begun)
    return float(tab.js("performance.getEntriesByName('first-contentful-paint')[0].startTime")), shown


async def main(memories: int, kept: Path | None) -> None:
    """Fill a store where it is not there yet, and measure a front over it."""
    said = turns(min(memories, DISTINCT))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        store = kept or Path(folder) / "memories.db"
        async with daemon(folder, "--engine", "hash") as served:
            if not store.exists():
                space, rows = await vectors(served, [turn.text for turn in said])
                await fill(store, space, said, rows, memories)
            with serving(FRONT, served, store, folder) as front:
                await asyncio.to_thread(_measure, front, memories)


def _measure(front: Front, memories: int) -> None:
    with signed_in(front) as http:
        asked = views(http)
        say(f"{memories:,} memories; {ROUNDS} rounds")
        in_turns(front, http, asked)
    paint(front, asked)
    say(f"resident: {front.resident_mb():.0f} MB")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--memories", type=int, default=100_000)
    options.add_argument("--store", type=Path, help="a file of so many memories, made where it is not there")
    chosen = options.parse_args()
    asyncio.run(main(chosen.memories, chosen.store))
