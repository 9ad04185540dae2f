"""One browser and one front for all tests of the page (`make test-web`); each test has tabs of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from memory_mcp.server.web.whereabouts import Register
from tests.daemon.daemonkit import Process
from tests.e2e.conftest import FRONT
from tests.e2e.web import WebClient, WebFront
from tests.web.browser import PROGRAMS, WIDE, Browser, Scheme, Tab

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that needs the browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.web)


@dataclass(frozen=True, slots=True)
class Site:
    """A front with a page, its daemon and its store."""

    front: WebFront
    folder: Path

    @property
    def url(self) -> str:
        """Where its pages begin."""
        return self.front.url.removesuffix("/mcp")

    def code(self) -> str:
        """Return a code to sign in with, as `memory-mcp open` gets it."""
        register = Register(next(self.folder.rglob("page/*.json")).parent)
        reply = register.new_reply()
        httpx2.post(f"{self.url}/sign-in/link", json={"reply": reply}).raise_for_status()
        link = register.take(reply)
        assert link is not None
        return link.partition("#")[2]

    def client(self, name: str) -> WebClient:
        """Return an MCP client, for another writer."""
        return self.front.client(name)


def start_site(folder: Path, **settings: str) -> tuple[Site, Process]:
    """Start a daemon and a front in a folder."""
    daemon = Process(folder, "--engine", "hash", HOME=str(folder))
    daemon.ready()
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    environment = measuring | {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "MCP_MEMORY_SQLITE_PATH": str(folder / "memory.db"),
        "MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{folder}/e.sock",
        "MCP_MEMORY_RATE_LIMIT_ENABLED": "false",
    }
    return Site(WebFront(FRONT, environment | settings, folder), folder), daemon


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None or not PROGRAMS.exists():
        pytest.skip("there is no chromium, or no .node-web (make test-web makes it)")
    started = Browser(found)
    yield started
    started.end()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Start the front that tests share; each stores what it looks for under names of its own."""
    folder = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    started, daemon = start_site(folder)
    yield started
    started.front.end()
    daemon.popen.terminate()
    daemon.popen.communicate()
    shutil.rmtree(folder, ignore_errors=True)


SignIn = Callable[..., Tab]


@pytest.fixture(scope="session")
def contexts() -> dict[str, str]:
    """Return the contexts of the browser that are signed in at a site, which takes a second each."""
    return {}


@pytest.fixture
def sign_in(browser: Browser, site: Site, contexts: dict[str, str]) -> Iterator[SignIn]:
    """Open tabs that are signed in as the local user: `sign_in("/timeline", scheme="dark", size=SMALL)`.

    They share their cookies and storage, but for those that are `apart`.
    """
    opened: list[tuple[Tab, bool]] = []

    def run(
        path: str = "/",
        *,
        size: tuple[int, int] = WIDE,
        scheme: Scheme = "light",
        at: Site = site,
        apart: bool = False,
    ) -> Tab:
        context = "" if apart else contexts.get(at.url, "")
        tab = browser.open(at.url, size=size, scheme=scheme, context=context)
        opened.append((tab, apart))
        if not context:
            tab.goto(f"/sign-in#{at.code()}")
        if not apart:
            contexts[at.url] = tab.context
        if context or path != "/":
            tab.goto(path)
        return tab

    yield run
    for tab, apart in opened:
        if apart:
            tab.close()
        else:
            tab.do("close")


def store(site: Site, *contents: str, **more: object) -> list[str]:
    """Store memories through MCP and return their ids."""
    with site.client(f"writer-{os.urandom(4).hex()}") as client:
        return [client.tool("memory_store", content=content, **more)["id"] for content in contents]
