"""What an orchestrator and a balancer are told, and how a front ends under them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.e2e.client import PATIENCE_S
from tests.e2e.web import WebClient, WebFront
from tests.fakes.daemon import FakeDaemon

Serve = Callable[..., WebFront]
READY = (200, {"status": "ready"})
DEGRADED = (200, {"status": "ready", "degraded": "the embedder does not answer; searches use words alone"})
SILENT = (503, {"status": "not ready", "cause": "the store does not answer; memory-mcp doctor says why"})
ENDING = (503, {"status": "not ready", "cause": "this server is ending; ask another"})


def asked(front: WebFront, path: str = "/readyz", **headers: str) -> tuple[int, object]:
    """Ask without a token."""
    answer = httpx2.get(front.url.replace("/mcp", path), headers=headers, timeout=PATIENCE_S)
    return answer.status_code, answer.json()


async def until(front: WebFront, answer: tuple[int, object]) -> None:
    """Ask until the answer is this."""
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(asked, front) != answer:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.1)


def test_pods_are_asked_by_address(serve: Serve) -> None:
    """By orchestrators, and by Prometheus with a token; names that were bent here, and pages of others, are refused."""
    front = serve(MCP_MEMORY_HTTP_ALLOWED_HOSTS="memory.example.org")
    for path, status in (("/livez", "alive"), ("/readyz", "ready")):
        assert asked(front, path)[1] == {"status": status}
        for host in ("10.1.2.3:8765", "10.1.2.3", "[fd00::7]:8765", "memory.example.org"):
            assert asked(front, path, Host=host) == (200, {"status": status})
        for headers, refusal in (
            ({"Host": "evil.example"}, 421),
            ({"Host": "10.1.2.3.evil.example:8765"}, 421),
            ({"Host": "10.1.2.3", "Origin": "https://evil.example"}, 421),
            ({"Origin": "https://evil.example"}, 403),
        ):
            answer = httpx2.get(front.url.replace("/mcp", path), headers=headers)
            assert answer.status_code == refusal, headers
        assert httpx2.post(front.url.replace("/mcp", path)).status_code == 405
    by_address = {"Host": "10.1.2.3:8765"}
    assert httpx2.get(front.url, headers=by_address).status_code == 421
    assert httpx2.get(front.url.replace("/mcp", "/metrics"), headers=by_address).status_code == 401


@pytest.mark.parametrize("page", ["0", "1"])
def test_a_store_that_cannot_be_read_is_not_ready(serve: Serve, folder: Path, page: str) -> None:
    """The process lives all the same, and who has no token is not told what is wrong."""
    (folder / "memory.db").write_text("this is no database, and the answer must not say where it lies")
    front = serve(MCP_MEMORY_WEB_ENABLED=page)
    assert asked(front) == SILENT
    assert asked(front, "/livez") == (200, {"status": "alive"})


async def test_without_the_embedder_it_is_ready_and_says_so(daemon: FakeDaemon, serve: Serve) -> None:
    """Once a call has noticed, and until one gets vectors again."""
    front = serve(MCP_MEMORY_BREAKER_MIN_CALLS="1")
    assert await asyncio.to_thread(asked, front) == READY
    await daemon.stop()
    with front.client("me") as client:
        found = await asyncio.to_thread(client.tool, "memory_store", content="Ada buys wine")
        assert found["embedded"] is False
        assert await asyncio.to_thread(asked, front) == DEGRADED
        await daemon.start()
        await until(front, READY)


async def test_a_signal_cuts_no_call(daemon: FakeDaemon, serve: Serve) -> None:
    """Streams are closed at once; a call in progress is answered, and then the server ends."""
    front = serve(MCP_MEMORY_EMBED_BUDGET_S="60")
    with front.client("me") as client:
        await asyncio.to_thread(client.hello)
        await daemon.change(hang=True)
        async with (
            asyncio.timeout(PATIENCE_S),
            httpx2.AsyncClient(headers=dict(client.http.headers), timeout=PATIENCE_S) as http,
            http.stream("GET", front.url) as stream,
        ):
            storing = asyncio.create_task(asyncio.to_thread(client.tool, "memory_store", content="Ada buys wine"))
            await daemon.until(lambda: daemon.requests)
            front.process.terminate()
            assert [line async for line in stream.aiter_lines() if line.startswith("data")] == []
            cut, _ = await asyncio.wait([storing], timeout=1.5)  # what would cut it looks twice a second
            assert not cut
            await daemon.change(hang=False)
            assert (await storing)["embedded"] is True
            assert await asyncio.to_thread(front.process.wait) == 0


async def test_a_draining_server_still_serves(serve: Serve) -> None:
    """Balancers hear that it ends while it answers everybody; a second signal ends it without the wait."""
    front = serve(MCP_MEMORY_HTTP_DRAIN_S="300")
    with front.client("me") as one:
        await asyncio.to_thread(one.hello)
        front.process.terminate()
        await until(front, ENDING)
        assert await asyncio.to_thread(asked, front, "/livez") == (200, {"status": "alive"})
        assert one.tool("memory_store", content="Ada buys wine")["created"]
        with WebClient(front.url, front.token("late")) as late:
            assert late.tool("memory_search", query="wine")["results"] != []
    front.process.terminate()
    assert await asyncio.to_thread(front.process.wait, PATIENCE_S) == 0
