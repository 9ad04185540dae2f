"""The kind `mcp`: the SDK's own server, on stdio and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Receive, Scope, Send

from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.adapter import Toolbox
from memory_mcp.sources.mcp import McpSection, McpSource
from tests.fakes.clock import until
from tests.fakes.embedder import FakeEmbedder
from tests.front.sources.conftest import VARIABLES, Make
from tests.front.sources.mcp_server import NOTES, make_server
from tests.front.sources.web_server import listen, serving

ARGUMENTS = ["-I", str(Path(__file__).with_name("mcp_server.py"))]
PROGRAM: dict[str, object] = {
    "kind": "mcp",
    "timeout_ms": 60_000,  # a busy machine starts a Python slowly
    "command": sys.executable,
    "args": ARGUMENTS,
    "tool": "find",
    "arguments": {"query": "{query}", "limit": "{limit}"},
}


def program(how: str = "serve", **more: object) -> dict[str, object]:
    """Return the section of a server on stdio."""
    return {**PROGRAM, "args": [*ARGUMENTS, how], **more}


class HttpServer:
    """The SDK's server behind HTTP; it keeps the headers it got."""

    def __init__(self) -> None:
        self._manager = StreamableHTTPSessionManager(make_server())
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and run for as long as the server does."""
        if scope["type"] == "lifespan":
            async with self._manager.run():
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await self._manager.handle_request(scope, receive, send)


@contextlib.asynccontextmanager
async def http_server() -> AsyncIterator[tuple[HttpServer, str]]:
    """Run a server, and return its address."""
    server, listening = HttpServer(), listen()
    async with serving(server, listening):
        yield server, f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


async def test_a_tool_on_stdio_is_asked(make: Make) -> None:
    """Each text of its result is an item."""
    answer = await make(**program()).ask(SourceQuery("boat", 3))
    assert [item.text for item in answer.items] == NOTES[:3]


async def test_a_tool_over_http_is_asked(make: Make) -> None:
    """With the headers of the section, and the mark that keeps us from being our own source."""
    async with http_server() as (server, url):
        section = {
            "kind": "mcp",
            "timeout_ms": 60_000,
            "url": url,
            "tool": "find",
            "headers": {"X-Key": "${env:WIKI_KEY}"},
        }
        source = make(**section, arguments={"query": "{query}", "limit": "{limit}"})
        answer = await source.ask(SourceQuery("boat", 3))
        await source.close()
    assert [item.text for item in answer.items] == NOTES[:3]
    assert all(headers["x-key"] == VARIABLES["WIKI_KEY"] for headers in server.headers)
    assert all(headers["mcp-memory-hop"] == "1" for headers in server.headers)


async def test_structured_content_is_picked_by_jsonpath(make: Make) -> None:
    """Where the section names `items`."""
    source = make(**program(items="$.hits[*]", text="$.body", uri="$.link"))
    answer = await source.ask(SourceQuery("structured", 2))
    assert [(item.text, item.uri) for item in answer.items] == [(NOTES[n], f"https://other.test/{n}") for n in (0, 1)]
    assert answer.left_out == 3


async def test_resources_are_found_by_their_words(make: Make) -> None:
    """Those whose URIs begin as the section says; an empty question gets all of them."""
    source = make(**program(tool="", resources="notes://"))
    answer = await source.ask(SourceQuery("Where is the boat?", 3))
    assert [(item.text, item.title, item.uri) for item in answer.items] == [
        ("The boat lies in the harbour.", "Boats", "notes://boat")
    ]
    assert len((await source.ask(SourceQuery("", 5))).items) == 2


async def test_a_server_gets_only_the_environment_of_its_section(make: Make) -> None:
    """And the mark."""
    source = make(**program(env={"KEY": "${env:WIKI_KEY}"}), max_items=100)
    answer = await source.ask(SourceQuery("environment", 100))
    assert [item.text for item in answer.items] == [f"KEY={VARIABLES['WIKI_KEY']}", "MCP_MEMORY_HOP=1"]


async def test_a_server_starts_at_the_first_question_and_ends_with_its_source(make: Make) -> None:
    """Questions share it."""
    source = make(**program(), cache_s=0)
    before = children()
    found = [(await source.ask(SourceQuery("process", 1))).items[0].text for _ in range(2)]
    assert found[0] == found[1]
    assert children() - before == {int(found[0])}
    await source.close()
    assert children() == before


async def test_an_idle_server_ends(make: Make) -> None:
    """And starts again with the next question."""
    source, before = direct(idle_s=0.0), children()
    first = (await source.ask(SourceQuery("process", 1))).items[0].text
    await until(lambda: children() == before)
    assert (await source.ask(SourceQuery("process", 1))).items[0].text != first
    await source.close()


def direct(how: str = "serve", *, idle_s: float = 60.0, **more: object) -> McpSource:
    """Return a source with nothing around it."""
    tools = Toolbox(str, FakeEmbedder(), 1.0, lambda _: pytest.fail("no sandbox"))
    return McpSource("other", McpSection.model_validate(program(how, **more)), tools, idle_s=idle_s)


async def test_a_server_that_hangs_while_it_starts_ends_with_the_idle_time() -> None:
    """It has not even answered the first message."""
    source, before = direct("hang", idle_s=0.0), children()
    asking = asyncio.create_task(source.ask(SourceQuery("boat", 1)))
    await until(lambda: children() != before)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: children() == before)
    await source.close()


async def test_a_server_that_hangs_is_ended_and_the_next_question_starts_another() -> None:
    """Once a question has waited for about its whole time; closing ends what is left of both."""
    source, before = direct(timeout_ms=10), children()
    first = (await source.ask(SourceQuery("process", 1))).items[0].text
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await source.ask(SourceQuery("stall", 1))
    assert (await source.ask(SourceQuery("process", 1))).items[0].text != first
    await source.close()
    assert children() == before


@pytest.mark.parametrize(
    ("section", "cause"),
    [
        (program("hang", timeout_ms=200), "within 200 ms"),
        (program("flood"), "ended"),
        (program("garbage"), "ended"),
        (program("leave"), "ended"),
        ({**PROGRAM, "command": "no-such-program"}, "no program no-such-program"),
    ],
)
async def test_a_server_that_fails_costs_its_own_part(make: Make, section: dict[str, object], cause: str) -> None:
    """Whatever it does; nothing of it stays."""
    before = children()
    source = make(**section)
    with pytest.raises(SourceError, match=cause) as failed:
        await source.ask(SourceQuery("boat", 3))
    assert failed.value.fix
    await source.close()
    assert children() == before


async def test_a_tool_that_reports_an_error_is_named(make: Make) -> None:
    """Its text is not repeated: it may be anything."""
    with pytest.raises(SourceError, match="its tool find reports an error"):
        await make(**program()).ask(SourceQuery("fail", 3))


async def test_cancelling_leaves_the_server_for_the_next_question(make: Make) -> None:
    """The one who gives up does not end it for the others."""
    source = make(**program(), cache_s=0)
    first = (await source.ask(SourceQuery("process", 1))).items[0].text
    asking = asyncio.create_task(source.ask(SourceQuery("boat", 1)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await source.ask(SourceQuery("process", 1))).items[0].text == first


def children() -> set[int]:
    """Return the processes that we started and that run."""
    return {child.pid for child in psutil.Process().children() if _runs(child)}


def _runs(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
