"""`memory-mcp open`, and the page of a real front: who finds it and who may ask it; MCP beside it stays as it is."""

from __future__ import annotations

import contextlib
import json
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import httpx2
import pytest

from memory_mcp.domain.principal import Scope
from tests.e2e.client import PATIENCE_S
from tests.e2e.conftest import FRONT, Command
from tests.e2e.web import WebFront

Serve = Callable[..., WebFront]

FOREIGN = [
    ({"Host": "evil.example"}, 421),
    ({"Host": "127.0.0.1:1"}, 421),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
]


@contextlib.contextmanager
def signed_in(link: str) -> Iterator[httpx2.Client]:
    """Sign in as the page does."""
    place, _, code = link.partition("/sign-in#")
    with httpx2.Client(base_url=place, timeout=PATIENCE_S) as http:
        facts = http.post("/sign-in", json={"code": code}).raise_for_status().json()
        http.headers.update({"X-Page-Secret": facts["secret"], "X-Page-Csrf": facts["csrf"]})
        yield http


async def link_to(command: Command) -> str:
    """Ask a running front for a link."""
    said = (await command("open", "--json")).data
    assert said["started"] is False
    return str(said["link"])


async def test_a_running_front_is_opened(serve: Serve, command: Command) -> None:
    """The link leads to it and works once; its name and origin are checked, and MCP beside it wants its token."""
    front = serve()
    place = front.url.removesuffix("/mcp")
    link = await link_to(command)
    assert link.startswith(f"{place}/sign-in#")
    with signed_in(link) as http:
        assert http.get("/session").json()["name"] == "local user"
        for headers, status in FOREIGN:
            for path in ("/session", "/", "/static/app.js"):
                answer = http.get(path, headers=headers)
                assert answer.status_code == status, (headers, path)
                assert answer.headers["content-security-policy"] == "default-src 'self'"
            assert http.post("/sign-out", headers=headers).status_code == status
        assert http.post("/sign-out", headers={"Origin": place}).status_code == 204
        assert http.post(front.url, json={}).status_code == 401
        assert http.get(place + "/metrics").status_code == 401
        with pytest.raises(httpx2.HTTPStatusError), signed_in(link):
            pass


def lines_of(http: httpx2.Client) -> Iterator[Any]:
    """Yield what the page is told of writes."""
    with http.stream("GET", "/view/live") as stream:
        assert stream.status_code == 200
        yield from (json.loads(line) for line in stream.iter_lines())


async def test_writes_of_others_arrive_within_reach(serve: Serve, command: Command) -> None:
    """The local user hears of all namespaces, a bound token of its own, and of nothing once it is revoked."""
    front = serve()
    token = front.token("bound", "work", (Scope.READ,))
    place = front.url.removesuffix("/mcp")
    with signed_in(await link_to(command)) as user, httpx2.Client(base_url=place, timeout=PATIENCE_S) as bound:
        facts = bound.post("/sign-in", json={"token": token}).json()
        bound.headers["X-Page-Secret"] = facts["secret"]
        hearing, narrow = lines_of(user), lines_of(bound)
        assert [next(hearing)["kind"], next(narrow)["kind"]] == ["hello", "hello"]
        with front.client("writer") as client:
            ids = [client.tool("memory_store", content=name, namespace=name)["id"] for name in ("home", "work")]
            assert [(event["kind"], *event["ids"]) for event in (next(hearing), next(hearing))] == [
                ("store", ids[0]),
                ("store", ids[1]),
            ]
            heard = next(narrow)
            assert (heard["namespace"], heard["ids"]) == ("work", [ids[1]])
            front.tokens.revoke("bound")
            client.tool("memory_store", content="secret", namespace="work")
            assert [event for event in narrow if event["kind"] != "ping"] == []
            assert bound.get("/session").status_code == 401


async def test_the_page_can_be_turned_off(serve: Serve, command: Command, environment: dict[str, str]) -> None:
    """Then everything but MCP is as it was, nobody finds the front, and `open` says which setting it is."""
    environment["MCP_MEMORY_WEB_ENABLED"] = "false"
    front = serve()
    assert httpx2.get(front.url.removesuffix("mcp")).status_code == 401
    ended = await command("open")
    assert (ended.code, "MCP_MEMORY_WEB_ENABLED" in ended.err) == (2, True)
    assert list(Path(environment["HOME"]).rglob("page/*.json")) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc here")
async def test_templates_are_imported_with_the_first_page(serve: Serve) -> None:
    """A front that serves MCP alone does not hold them."""
    front = serve()
    maps = Path(f"/proc/{front.process.pid}/maps")
    with front.client("me") as client:
        client.tool("memory_list")
    assert "markupsafe" not in maps.read_text()
    httpx2.get(front.url.removesuffix("mcp")).raise_for_status()
    assert "markupsafe" in maps.read_text()


class Opening:
    """`memory-mcp open` where no front runs: it starts one."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(FRONT), "open", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line.strip())

    def line(self) -> str:
        """Return the next line that it prints."""
        return self._lines.get(timeout=PATIENCE_S)

    def end(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join()
        return code


BROWSER = """#!/bin/sh
printf '%s' "$1" > "$HOME/asked.new" && mv "$HOME/asked.new" "$HOME/asked" && echo asked
exec >/dev/null 2>&1
for _ in $(seq 600); do [ -e "$HOME/read" ] && exit; sleep 0.1; done
"""
"""Like a browser in a terminal, it comes back when its user has read."""


@pytest.fixture
def opening(environment: dict[str, str], folder: Path) -> Iterator[Opening]:
    """Start `memory-mcp open` with a browser that tells what it was asked."""
    browser = folder / "browser"
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    started = Opening(environment | {"BROWSER": str(browser)})
    yield started
    (folder / "read").touch()
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def test_without_a_front_one_is_started(opening: Opening, folder: Path) -> None:
    """On a free port of this machine; a browser that waits is led there by a private file; Ctrl-C ends it at once."""
    assert opening.line() == "asked"
    asked = (folder / "asked").read_text()
    assert asked.startswith("file://")
    assert "#" not in asked
    leaflet = Path(asked.removeprefix("file://"))
    assert stat.S_IMODE(leaflet.stat().st_mode) == 0o600
    link = leaflet.read_text().partition("url=")[2].partition('"')[0]
    with signed_in(link) as http:
        stream = lines_of(http)
        assert next(stream)["kind"] == "hello"
        assert opening.end() == 0
        assert list(stream) == []
    assert list(leaflet.parent.glob(f"{opening.process.pid}.json")) == []
