"""The page beside a front: when it ends by itself, and how it is found."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from memory_mcp.app import make_tokens
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.server.http.app import Front
from memory_mcp.server.http.binding import Binding
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.web.front import IDLE_S, PageFront, store_of
from memory_mcp.server.web.whereabouts import Register, Whereabouts
from memory_mcp.settings import Settings, load
from tests.front.web.kit import Clock


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Have a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return load(sqlite_path=tmp_path / "memory.db", tokens_path=tmp_path / "tokens.json")


def front_of(settings: Settings, host: str = "127.0.0.1") -> Front:
    """Return a front that serves at a port."""
    services = LazyServices(settings)
    dispatcher = make_dispatcher(settings, services.get, rate_limited=False)
    return Front(settings, dispatcher, services.get, make_tokens(settings), Binding(host, 0), 8123)


class Passing:
    """Time that passes when somebody sleeps; something may happen meanwhile."""

    def __init__(self, clock: Clock, meanwhile: Callable[[float], None] = lambda _: None) -> None:
        self._clock = clock
        self._meanwhile = meanwhile

    async def __call__(self, seconds: float) -> None:
        self._clock.now += seconds
        self._meanwhile(self._clock.now)
        await asyncio.sleep(0)


async def ends_after(settings: Settings, *, ends_when_idle: bool = True, streams_s: float = 0.0) -> float | None:
    """Return after how many seconds a front ends by itself, if a page is open for some of them."""
    clock, ended = Clock(), asyncio.Event()
    begun, streams = clock.now, contextlib.ExitStack()

    def look(now: float) -> None:
        if now - begun >= streams_s:
            streams.close()

    page = PageFront(ends_when_idle=ends_when_idle, clock=clock, sleep=Passing(clock, look))
    if streams_s:
        streams.enter_context(page.activity.streaming(lambda: None))
    async with page.running(front_of(settings), ended.set):
        for _ in range(5_000):
            await asyncio.sleep(0)
            if ended.is_set():
                return clock.now - begun
    return None


async def test_a_front_that_open_started_ends_without_a_page(settings: Settings) -> None:
    """After a quarter of an hour; an open page keeps it, however little is asked; a server is never ended."""
    assert await ends_after(settings) == IDLE_S == 900
    assert await ends_after(settings, streams_s=1_000) == 1_000 + IDLE_S
    assert await ends_after(settings, ends_when_idle=False) is None


async def test_a_front_is_found_by_its_store_while_it_runs(settings: Settings, tmp_path: Path) -> None:
    """In a private file of the user's; another store's front is not meant, nor one that others reach as well."""
    register = Register(tmp_path / ".local" / "state" / "memory-mcp" / "page")
    store = store_of(settings)
    async with PageFront().running(front_of(settings), lambda: None):
        assert register.of_store(store) == [Whereabouts("http://127.0.0.1:8123", os.getpid(), store)]
        assert register.of_store("sqlite_vec:/another") == []
        [file] = tmp_path.rglob("page/*.json")
        assert file.stat().st_mode & 0o777 == 0o600
    assert register.of_store(store) == []
    async with PageFront().running(front_of(settings, "192.0.2.1"), lambda: None):
        assert register.of_store(store) == []


def test_a_store_is_the_same_by_any_path(settings: Settings, tmp_path: Path) -> None:
    """Through a link, or by a detour."""
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "link" / "memory.db", tmp_path / "link" / ".." / tmp_path.name / "memory.db"):
        assert store_of(load(sqlite_path=path)) == store_of(settings)
    assert store_of(load(sqlite_path=tmp_path / "other.db")) != store_of(settings)


def test_what_is_left_behind_is_removed(tmp_path: Path) -> None:
    """Links that no longer work, and fronts that were killed; what is no such file is left alone."""
    register = Register(tmp_path)
    register.reply("0" * 32, "http://old")
    leaflet = register.leaflet("http://old")
    for path in (tmp_path / f"{'0' * 32}.link", leaflet):
        os.utime(path, (0, 0))
    for name, text in {"1.json": json.dumps({"url": "x", "pid": 2**22 + 1, "store": "s"}), "2.json": "{"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "note.txt").touch()
    os.utime(tmp_path / f"{register.new_reply()}.asked", (0, 0))
    register.reply("1" * 32, "http://new")
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", f"{'1' * 32}.link"}
    assert register.take("1" * 32) == "http://new"
    assert register.take("1" * 32) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1, "pid": 1, "store": "s"}', "\udcff"])
def test_a_damaged_register_is_passed_over(tmp_path: Path, text: str) -> None:
    """What somebody else has put there leads nowhere."""
    (tmp_path / "1.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert Register(tmp_path).of_store("s") == []
    assert Register(tmp_path / "none").of_store("s") == []
