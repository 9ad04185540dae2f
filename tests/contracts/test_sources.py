"""The port ContextSource: what every kind of source keeps to, the fake included."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from memory_mcp.domain.ports import ContextSource
from memory_mcp.domain.sources import SourceError, SourceItem, SourceQuery
from tests.fakes.sources import FakeSource, open_breaker
from tests.front.sources import chroma_file, mcp_server
from tests.front.sources.conftest import configured
from tests.front.sources.web_server import web_server

ITEMS = tuple(SourceItem(f"the boat number {number}", uri=f"https://wiki.test/{number}") for number in range(5))


KINDS = ("fake", "http", "mcp", "chroma", "sql")


async def section_of(kind: str, folder: Path, stack: AsyncExitStack) -> dict[str, object]:
    """Return the section of a source that knows `ITEMS`, and begin what it asks."""
    if kind == "http":
        server = await stack.enter_async_context(web_server())
        return {"url": server.url("/notes"), "items": "$.results[*]", "text": "$.body", "uri": "$.link"}
    if kind == "mcp":
        return {"command": sys.executable, "args": ["-I", mcp_server.__file__, "serve"], "tool": "find"}
    if kind == "chroma":
        chroma_file.write(folder, [item.text for item in ITEMS])
        return {"path": str(folder)}
    database = sqlite3.connect(folder / "notes.db")
    database.execute("CREATE TABLE notes(body TEXT)")
    database.executemany("INSERT INTO notes VALUES (?)", [(item.text,) for item in ITEMS])
    database.commit()
    statement = "SELECT body AS text FROM notes WHERE body LIKE '%' || :query || '%' LIMIT :limit"
    return {"path": str(folder / "notes.db"), "statement": statement}


@pytest.fixture(params=KINDS)
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ContextSource]:
    """Return a source of each kind that knows `ITEMS`."""
    kind: str = request.param
    async with AsyncExitStack() as stack:
        if kind == "fake":
            made: ContextSource = FakeSource(items=ITEMS)
        else:
            section = {"kind": kind, "timeout_ms": 60_000, **await section_of(kind, tmp_path, stack)}
            (made,) = configured({"wiki": section}).all()
        stack.push_async_callback(made.close)
        yield made


async def test_a_source_answers_with_its_items_in_order(source: ContextSource) -> None:
    """The best first, at most as many as were asked for."""
    answer = await source.ask(SourceQuery("boat", limit=3))
    assert [item.text for item in answer.items] == [item.text for item in ITEMS[:3]]


async def test_a_source_has_a_name_and_a_kind(source: ContextSource) -> None:
    """Both stand in answers and metrics."""
    assert source.name
    assert source.kind


async def test_a_source_that_was_closed_twice_is_closed(source: ContextSource) -> None:
    """Whether it was asked before or not."""
    await source.ask(SourceQuery("boat", limit=1))
    await source.close()
    await source.close()


async def test_a_question_that_is_given_up_leaves_the_source_whole(source: ContextSource) -> None:
    """The next one is answered."""
    asking = asyncio.create_task(source.ask(SourceQuery("boat", limit=2)))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert len((await source.ask(SourceQuery("boat", limit=2))).items) == 2


async def test_a_hanging_source_is_given_up_by_cancelling() -> None:
    """The caller sets the deadline; the source learns of it."""
    source = FakeSource(items=ITEMS, hangs=True)
    asking = asyncio.create_task(source.ask(SourceQuery("boat", limit=3)))
    await source.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert source.cancelled == 1


async def test_an_open_source_says_when_it_is_asked_again() -> None:
    """Its breaker is no other failure."""
    with pytest.raises(SourceError) as failed:
        await FakeSource(error=open_breaker(5)).ask(SourceQuery("boat", limit=3))
    assert failed.value.is_open
    assert failed.value.retry_after_s == 5
