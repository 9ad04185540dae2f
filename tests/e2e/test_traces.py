"""One trace leads from a client's request through the front to the daemon's forward pass, and quotes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.daemonkit import Process
from tests.e2e.client import RawClient, ToolError
from tests.fakes.collector import Collector, Received

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
FRONT, DAEMON = "memory-mcp", "memory-mcp-embedder"
MARKER = "zyzzyva"
OURS = {"lane", "task", "texts", "rows", "kind", "database", "error.type"}
"""Every attribute that a span may have."""
SEARCH = {
    (FRONT, "memory_search"),
    (FRONT, "phrase the query"),
    (FRONT, "score keywords"),
    (FRONT, "score meaning and rank"),
    (FRONT, "read the store"),
    (FRONT, "embed"),
    (DAEMON, "Embed"),
    (DAEMON, "tokenise"),
    (DAEMON, "queue"),
    (DAEMON, "forward pass"),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Listen for spans."""
    with Collector() as listening:
        yield listening


@pytest.fixture
def client(start_daemon: Callable[..., Process], start: Callable[..., RawClient], collector: Collector) -> RawClient:
    """Start a daemon and a front that both send traces; the front is told by the variable of all programs."""
    start_daemon("hash", EMBEDDER_OTEL_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50").ready()
    return start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50")


def names(received: list[Received], trace_id: str) -> set[tuple[str, str]]:
    """Return the services and names of a trace's spans."""
    return {(each.service, each.span.name) for each in received if each.trace_id == trace_id}


def path_of(received: list[Received], name: str) -> list[str]:
    """Return the names of a span and of those above it, which must have been received, but the client's."""
    by_id = {each.span.span_id: each.span for each in received}
    span = next(each.span for each in received if each.span.name == name)
    path = [span.name]
    while span.parent_span_id.hex() not in {"", SPAN_ID}:
        span = by_id[span.parent_span_id]
        path.append(span.name)
    return path


async def test_one_trace_spans_the_front_and_the_daemon(client: RawClient, collector: Collector) -> None:
    """A search that names its trace shows every step of both programs in it, each under what it is part of."""
    await client.initialize()
    await client.tool("memory_store", content="the cat sat on the mat")
    call = {"name": "memory_search", "arguments": {"query": "where was the cat"}, "_meta": TRACED}
    assert (await client.request("tools/call", call))["result"]["structuredContent"]["degraded"] is False
    received = collector.until(lambda spans: names(spans, TRACE_ID) >= SEARCH)
    of_search = [each for each in received if each.trace_id == TRACE_ID]
    assert path_of(of_search, "forward pass") == ["forward pass", "Embed", "embed", "memory_search"]
    assert path_of(of_search, "queue") == ["queue", "Embed", "embed", "memory_search"]
    assert next(each.span for each in of_search if each.span.name == "memory_search").parent_span_id.hex() == SPAN_ID
    for each in of_search:
        assert each.span.start_time_unix_nano <= each.span.end_time_unix_nano
    stored = next(each for each in received if each.span.name == "memory_store")
    assert stored.trace_id != TRACE_ID
    assert {(FRONT, "write the store"), (DAEMON, "forward pass")} <= names(received, stored.trace_id)


async def test_spans_quote_nothing(client: RawClient, collector: Collector) -> None:
    """No word of a memory, a query, a tag, a namespace or an error's message is sent, and no attribute but our own."""
    await client.initialize()
    await client.tool("memory_store", content=MARKER, tags=[MARKER], metadata={MARKER: MARKER}, namespace=MARKER)
    await client.tool("memory_search", query=MARKER, tags=[MARKER], namespace=MARKER)
    for name, arguments in (("memory_get", {"id": MARKER}), ("memory_search", {"query": MARKER, "limit": MARKER})):
        with pytest.raises(ToolError):
            await client.tool(name, **arguments)
    await client.request("tools/call", {"name": MARKER, "arguments": {MARKER: MARKER}})
    await client.request("resources/read", {"uri": f"memory://tag/{MARKER}"})
    assert await client.end() == 0  # which sends what is left
    received = collector.until(lambda spans: any(each.span.name == "resources/read" for each in spans))
    assert MARKER.encode() not in b"".join(collector.bodies)
    found = [each for every in received for each in every.span.attributes]
    assert {each.key for each in found} <= OURS
    errors = {each.value.string_value for each in found if each.key == "error.type"}
    assert {"NotFoundError", "InvalidArgumentError"} <= errors


async def test_a_collector_that_is_away_holds_nothing_up(start: Callable[..., RawClient], folder: Path) -> None:
    """Calls are answered, the front ends, and the log says in one line what is lost."""
    log = folder / "front.log"
    client = start(log, MCP_MEMORY_OTEL_ENDPOINT="http://127.0.0.1:9", OTEL_BSP_SCHEDULE_DELAY="50")
    await client.initialize()
    await client.tool("memory_store", content="the cat")
    assert await client.end() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "Failed to export" in " ".join(line["event"] for line in lines)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9"])
def test_where_nothing_is_traced_nothing_is_imported(endpoint: str, folder: Path) -> None:
    """Without a collector neither program imports OpenTelemetry's SDK; the front does so only at its first request."""
    program = """
import sys
from memory_mcp.application import stack
from memory_mcp.settings import load
from memory_common import tracing
async def services(): raise AssertionError
stack.make_dispatcher(load(), services, rate_limited=False)
import memory_mcp.app, embedder_daemon.server
with tracing.root("a"), tracing.child("b"): tracing.past("c", 0, 1)
assert not tracing.headers()
print(*(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "requests"))))
"""
    environment = {"HOME": str(folder), "MCP_MEMORY_OTEL_ENDPOINT": endpoint}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
