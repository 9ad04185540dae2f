"""What the logs of both programs say of a request, and what they never say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.daemonkit import Process
from tests.e2e.client import Json, RawClient, ToolError
from tests.fakes.daemon import FakeDaemon

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "tracestate": "vendor=value"}
ID_KEY = "memory-mcp/request_id"
MARKER = "zyzzyva"


@pytest.fixture
def process(folder: Path) -> Iterator[Callable[..., Process]]:
    """Start real daemons that log everything, and end them."""
    started: list[Process] = []

    def run(**environment: str) -> Process:
        arguments = ("--engine", "hash", "--log-level", "debug")
        started.append(Process(folder, *arguments, HOME=str(folder), **environment))
        return started[-1].ready()

    yield run
    for daemon in started:
        daemon.popen.kill()
        daemon.popen.communicate()


def lines(log: Path, event: str) -> list[Json]:
    """Return the lines of an event; every line of the log is JSON."""
    parsed: list[Json] = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in parsed if line["event"] == event]


async def test_a_request_is_followed_through_both_logs(
    process: Callable[..., Process], start: Callable[..., RawClient], folder: Path
) -> None:
    """The front's line and the daemon's have one request id, and the trace that the client named."""
    daemon = process()
    client = start(folder / "front.log", MCP_MEMORY_LOG_LEVEL="debug")
    await client.initialize()
    stored = {"name": "memory_store", "arguments": {"content": "the cat"}, "_meta": TRACED}
    await client.request("tools/call", stored)
    await client.tool("memory_search", query="the dog")
    first, second = lines(folder / "front.log", "answered")
    assert (first["what"], first["outcome"], first["trace_id"]) == ("memory_store", "ok", TRACE_ID)
    assert "trace_id" not in second
    traced, other = lines(daemon.log, "embedded")
    assert (traced["request_id"], traced["trace_id"]) == (first["request_id"], TRACE_ID)
    assert (other["request_id"], "trace_id" in other) == (second["request_id"], False)
    assert first["request_id"] != second["request_id"]


async def test_the_daemon_is_told_of_the_request_and_its_trace(
    client: RawClient, folder: Path, start: Callable[..., RawClient]
) -> None:
    """Metadata names both; the queue, which no request waits for, names none; errors name the request to the client."""
    await client.tool("memory_store", content="stored without a daemon")
    async with FakeDaemon(folder / "e.sock") as daemon:
        await client.until("memory_search", "pending", value=0, query="x", mode="keyword")
        assert {"memory-mcp-request-id", "traceparent"}.isdisjoint(daemon.metadata[-1])
        for state in ("vendor=value", ",".join(f"vendor{n}={'v' * 200}" for n in range(30))):
            meta = TRACED | {"tracestate": state}
            call = {"name": "memory_search", "arguments": {"query": f"cat {len(state)}"}, "_meta": meta}
            assert (await client.request("tools/call", call))["result"]["structuredContent"]["degraded"] is False
        small, large = daemon.metadata[-2:]
        assert len(small["memory-mcp-request-id"]) == 32
        assert small["traceparent"] == TRACED["traceparent"]
        assert (small["tracestate"], "tracestate" in large) == ("vendor=value", False)
        assert large["traceparent"] == TRACED["traceparent"]
    await errors_name_the_request(client)


async def test_the_breaker_is_news_twice(start: Callable[..., RawClient], folder: Path) -> None:
    """The log says when and why it opened, and that it has closed, each once for however many calls and probes."""
    client = start(folder / "front.log")
    await client.initialize()
    for number in range(6):
        await client.tool("memory_store", content=f"memory {number}")
    async with FakeDaemon(folder / "e.sock"):
        await client.until("memory_search", "pending", value=0, query="x", mode="keyword")
    [opened] = lines(folder / "front.log", "the breaker opened: the embedder is unavailable")
    assert (opened["level"], "no daemon listens" in opened["cause"]) == ("warning", True)
    assert len(lines(folder / "front.log", "the breaker closed: the embedder is available again")) == 1


async def errors_name_the_request(client: RawClient) -> None:
    """See that results that are errors have its id in `_meta`, and errors of the protocol in their data."""
    failed = await client.request("tools/call", {"name": "memory_get", "arguments": {"id": "none"}})
    unread = await client.request("resources/read", {"uri": "memory://memory/none"})
    unknown = await client.request("tools/call", {"name": "memory_sing"})
    ids = [
        failed["result"]["_meta"][ID_KEY],
        unread["error"]["data"][ID_KEY],
        unknown["error"]["data"][ID_KEY],
    ]
    assert [len(found) for found in ids] == [32, 32, 32]
    assert len(set(ids)) == 3


async def busy(client: RawClient) -> None:
    """Do everything that sees content, right and wrong."""
    await client.initialize()
    stored = await client.tool("memory_store", content=f"{MARKER} one", tags=[MARKER], metadata={MARKER: MARKER})
    await client.tool("memory_store_many", items=[{"content": f"{MARKER} {number}"} for number in range(3)])
    await client.tool("memory_search", query=f'{MARKER} "{MARKER}"', tags=[MARKER])
    await client.tool("memory_update", id=stored["id"], content=f"{MARKER} two")
    await client.tool("memory_list", type=MARKER)
    for name, arguments in (
        ("memory_store", {"content": MARKER, "created_at": MARKER}),
        ("memory_search", {"query": MARKER, "limit": MARKER}),
        ("memory_search", {"query": MARKER, MARKER: MARKER}),
        ("memory_store", {"content": f"{MARKER} other", "id": stored["id"]}),
        ("memory_get", {"id": MARKER}),
    ):
        with pytest.raises(ToolError):
            await client.tool(name, **arguments)
    await client.request("resources/read", {"uri": f"memory://tag/{MARKER}"})
    await client.request("tools/call", {"name": MARKER, "arguments": {MARKER: MARKER}})
    await client.send_line(f'{{"jsonrpc": "2.0", "method": "notifications/{MARKER}", "params": "{MARKER}"}}'.encode())
    await client.send_line(f"{MARKER} is no JSON".encode())
    await client.tool("memory_delete", tags=[MARKER])
    assert await client.end() == 0


async def test_content_is_logged_where_it_is_asked_for_and_nowhere_else(
    process: Callable[..., Process], start: Callable[..., RawClient], folder: Path
) -> None:
    """At the level debug no log holds a word of a memory or a question; with the setting both programs' do."""
    wanted = {"MCP_MEMORY_LOG_CONTENT": "1"}
    for told in (False, True):
        daemon = process(**({"EMBEDDER_LOG_CONTENT": "1"} if told else {}))
        log = folder / f"front-{told}.log"
        await busy(start(log, MCP_MEMORY_LOG_LEVEL="debug", **(wanted if told else {})))
        assert daemon.stop() == 0
        assert len(lines(log, "answered")) > 10
        assert (MARKER in log.read_text(), MARKER in daemon.log.read_text()) == (told, told)
