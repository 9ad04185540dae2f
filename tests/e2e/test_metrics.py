"""`/metrics` over HTTP: what is counted, who may see it, and what it never shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from memory_mcp.domain.principal import Scope
from tests.e2e.client import ToolError
from tests.e2e.web import WebClient, WebFront
from tests.fakes.daemon import FakeDaemon

Serve = Callable[..., WebFront]
Samples = dict[tuple[str, ...], float]


def scraped(client: WebClient) -> tuple[str, Samples]:
    """Return the page, and each sample by its name and its labels' values."""
    page = client.page("/metrics")
    assert page.status_code == 200, page.text
    families = text_string_to_metric_families(page.text)
    return page.text, {(it.name, *it.labels.values()): it.value for family in families for it in family.samples}


def use(client: WebClient) -> None:
    """Call tools, well and badly."""
    for _ in range(2):
        client.tool("memory_store", content="the marmot")
    for _ in range(3):
        client.tool("memory_search", query="marmot")
    client.tool("memory_context", query="marmot")
    with pytest.raises(ToolError):
        client.tool("memory_get", id="capybara")
    with pytest.raises(ToolError):
        client.tool("memory_list", namespace="elsewhere")


def refused(client: WebClient) -> None:
    """See that who is no admin is shown nothing, and that one does not post there."""
    refusal = client.page("/metrics")
    assert (refusal.status_code, "'admin'" in refusal.json()["error"]) == (403, True)
    assert client.http.post(str(refusal.url)).status_code == 404
    del client.http.headers["Authorization"]
    assert client.page("/metrics").status_code == 401


async def test_what_is_called_is_counted(daemon: FakeDaemon, serve: Serve) -> None:
    """Calls by outcome, their times, the cache, the store and the breaker; no name, no content, and for admins only."""
    front = serve()
    with front.client("watcher", scopes=(Scope.ADMIN,)) as admin, front.client("zyzzyva", namespace="quokka") as me:
        await asyncio.to_thread(use, me)
        page, seen = await asyncio.to_thread(scraped, admin)
        await asyncio.to_thread(refused, me)
    with front.client("one", "quokka", (Scope.ADMIN,)) as bound:
        refusal = bound.page("/metrics")
        assert (refusal.status_code, "all namespaces" in refusal.json()["error"]) == (403, True)
    assert daemon.texts
    assert seen["memory_mcp_tool_calls_total", "ok", "memory_store"] == 2
    assert seen["memory_mcp_tool_calls_total", "ok", "memory_search"] == 3
    assert seen["memory_mcp_tool_calls_total", "not_found", "memory_get"] == 1
    assert seen["memory_mcp_tool_calls_total", "forbidden", "memory_list"] == 1
    assert seen["memory_mcp_tool_seconds_count", "memory_search"] == 3
    assert seen["memory_mcp_tool_seconds_bucket", "+Inf", "memory_search"] == 3
    assert 0 < seen["memory_mcp_tool_seconds_sum", "memory_store"] < 30
    assert seen["memory_mcp_cache_lookups_total", "hit"] == 2
    assert (seen["memory_mcp_memories",], seen["memory_mcp_pending_memories",]) == (1, 0)
    assert seen["memory_mcp_store_bytes",] > 0
    assert seen["memory_mcp_context_requests_total", "answered"] == 1
    assert seen["memory_mcp_context_requests_total", "failed"] == 0
    assert seen["memory_mcp_context_active", "gathering"] == 0
    assert (seen["memory_mcp_breaker_state", "closed"], seen["memory_mcp_breaker_trips_total",]) == (1, 0)
    assert [word for word in ("marmot", "capybara", "quokka", "zyzzyva", "watcher") if word in page] == []


async def test_an_open_breaker_and_what_waits_are_told(serve: Serve) -> None:
    """Without a daemon the breaker opens, and memories wait."""
    front = serve(MCP_MEMORY_BREAKER_OPEN_S="3600")
    with front.client("admin", scopes=(Scope.ADMIN,)) as admin:
        for number in range(4):
            admin.tool("memory_store", content=f"memory {number}")
        _, seen = scraped(admin)
    assert seen["memory_mcp_pending_memories",] == 4
    assert (seen["memory_mcp_breaker_state", "open"], seen["memory_mcp_breaker_trips_total",]) == (1, 1)


def test_a_store_that_cannot_be_read_has_no_figures(serve: Serve, folder: Path) -> None:
    """The page is answered all the same, with what is known."""
    (folder / "memory.db").write_bytes(b"no database " * 1_000)
    front = serve()
    with front.client("boss", scopes=(Scope.ADMIN,)) as boss:
        with pytest.raises(ToolError):
            boss.tool("memory_list")
        _, seen = scraped(boss)
    assert seen["memory_mcp_tool_calls_total", "store", "memory_list"] == 1
    assert ("memory_mcp_memories",) not in seen


def test_they_can_be_switched_off(serve: Serve) -> None:
    """Then there is no such page."""
    front = serve(MCP_MEMORY_METRICS_ENABLED="0")
    with front.client("boss", scopes=(Scope.ADMIN,)) as boss:
        assert boss.page("/metrics").status_code == 404
