"""What a user sees when the embedder is out, hangs, lies or comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from embedder_api.v1.contract import STATUS_OF, WIRE_VERSION, ErrorCode

from tests.e2e.client import RawClient
from tests.fakes.daemon import FakeDaemon


async def until_open(client: RawClient) -> None:
    """Make calls until the breaker is open."""
    async with asyncio.timeout(60):
        while (await client.tool("memory_health"))["breaker"]["state"] == "closed":
            await client.tool("memory_search", query="anything")


async def test_without_a_daemon_everything_works_by_keywords(client: RawClient) -> None:
    """No daemon: stores are kept and queued, search answers by words and says so, health names the fix."""
    stored = await client.tool("memory_store", content="The zebra lives in Kenya")
    assert stored["created"] is True
    assert stored["embedded"] is False
    found = await client.tool("memory_search", query="zebra")
    assert [hit["content"] for hit in found["results"]] == ["The zebra lives in Kenya"]
    assert found["mode"] == "keyword"
    assert "no daemon listens" in found["degraded"]
    assert "memory-mcp daemon start" in found["degraded"]
    assert found["pending"] == 1
    assert found["results"][0]["semantic"] is None
    assert (await client.tool("memory_search", query="zebra", mode="keyword"))["degraded"] is False
    health = await client.tool("memory_health")
    assert health["status"] == "degraded"
    assert health["daemon"]["state"] == "unreachable"
    assert "memory-mcp daemon start" in health["daemon"]["fix"]
    assert health["queue"]["state"] == "pending"


async def test_the_queue_drains_by_itself_when_the_daemon_comes(client: RawClient, folder: Path) -> None:
    """The daemon comes back: without any call the queue drains, and the same search finds by vectors."""
    await client.tool("memory_store_many", items=[{"content": f"zebra number {i}"} for i in range(70)])
    await until_open(client)
    async with FakeDaemon(folder / "e.sock") as daemon:
        await client.until("memory_search", "pending", value=0, query="zebra", mode="keyword")
        found = await client.until("memory_search", "degraded", value=False, query="zebra number", mode="semantic")
        assert len(found["results"]) == 10
        assert found["mode"] == "semantic"
        asked = [text for text in daemon.texts if text.startswith("zebra number ")]
        assert sorted(asked) == sorted({f"zebra number {i}" for i in range(70)})
        assert (await client.tool("memory_health"))["status"] == "ok"


async def test_a_hung_daemon_costs_little(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """Each store waits for its budget until the breaker opens, and for nothing after that; times are printed."""
    client = start(MCP_MEMORY_EMBED_BUDGET_S="0.2", MCP_MEMORY_BREAKER_OPEN_S="3600")
    await client.initialize()
    await daemon.change(hang=True)
    took = []
    for i in range(6):
        begun = time.perf_counter()
        assert (await client.tool("memory_store", content=f"memory {i}"))["embedded"] is False
        took.append(round((time.perf_counter() - begun) * 1000, 1))
    print("stores against a hung daemon, ms:", took)  # noqa: T201 - measured, not asserted
    health = await client.tool("memory_health")
    assert health["breaker"]["state"] == "open"
    assert "in time" in health["breaker"]["cause"]
    assert "next attempt in" in health["breaker"]["detail"]
    assert len(daemon.requests) < 6
    await daemon.change(hang=False)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": STATUS_OF[ErrorCode.UNAVAILABLE]},
        {"status": STATUS_OF[ErrorCode.OVERLOADED]},
        {"dimensions": 383},
        {"not_a_number": True},
        {"drop": True},
        {"reject": {"honest memory"}},
    ],
)
async def test_no_false_vector_is_ever_stored(daemon: FakeDaemon, client: RawClient, fault: dict[str, object]) -> None:
    """Whatever the daemon does wrong, the memory is kept, found by words, and has no vector."""
    await daemon.change(**fault)
    stored = await client.tool("memory_store", content="honest memory")
    assert stored["created"] is True
    assert stored["embedded"] is False
    found = await client.tool("memory_search", query="honest", mode="keyword")
    assert found["results"][0]["content"] == "honest memory"
    assert (await client.tool("memory_get", id=stored["id"]))["embedded"] is False


async def test_a_refused_text_is_set_aside_with_its_reason(daemon: FakeDaemon, client: RawClient) -> None:
    """A text that the daemon refuses is not tried for ever; health says why."""
    await daemon.change(reject={"poison"})
    await client.tool("memory_store", content="poison")
    health = await client.tool("memory_health")
    assert health["queue"]["state"] == "failed"
    assert "as told" in health["queue"]["cause"]
    assert (await client.tool("memory_search", query="poison", mode="keyword"))["pending"] == 0


async def test_another_model_is_noticed(daemon: FakeDaemon, client: RawClient) -> None:
    """A daemon of another space: nothing is compared or stored with it, search goes by words, health says which."""
    await client.tool("memory_store", content="made with the first model")
    await daemon.change(space_id="another-384")
    assert (await client.tool("memory_store", content="made with the second"))["embedded"] is False
    found = await client.tool("memory_search", query="made")
    assert found["mode"] == "keyword"
    assert "another embedding space" in found["degraded"]
    health = await client.tool("memory_health")
    assert health["space"]["state"] == "mismatch"
    assert "another-384" in health["space"]["cause"]
    await daemon.change(space_id="fake-384")
    await client.until("memory_search", "pending", value=0, query="made", mode="keyword")


async def test_a_daemon_of_another_wire_is_named_with_the_command(daemon: FakeDaemon, client: RawClient) -> None:
    """It gets no text, search says what to type, and when it was replaced everything goes on by itself."""
    await daemon.change(wire_version=0)
    assert (await client.tool("memory_store", content="before the restart"))["embedded"] is False
    found = await client.tool("memory_search", query="restart")
    assert found["mode"] == "keyword"
    assert "`memory-mcp daemon restart`" in found["degraded"]
    health = await client.tool("memory_health")
    assert "`memory-mcp daemon restart`" in health["daemon"]["fix"]
    assert health["breaker"]["state"] == "closed"
    assert daemon.texts == []
    await daemon.stop()
    await daemon.change(wire_version=WIRE_VERSION)
    await daemon.start()
    await client.until("memory_search", "degraded", value=False, query="restart", mode="semantic")
    await client.until("memory_search", "pending", value=0, query="restart", mode="keyword")


async def test_two_fronts_share_one_file(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """What one front stores the other finds, and both write at once."""
    left, right = start(), start()
    await asyncio.gather(left.initialize(), right.initialize())

    async def write(client: RawClient, name: str) -> None:
        for i in range(25):
            await client.tool("memory_store", content=f"{name} wrote {i}")

    await asyncio.gather(write(left, "left"), write(right, "right"))
    assert (await left.tool("memory_list"))["total"] == 50
    found = await right.tool("memory_search", query="left wrote 7")
    assert any(hit["content"] == "left wrote 7" for hit in found["results"])


async def test_acknowledged_memories_survive_a_kill(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """A front killed by SIGKILL while it stores loses nothing that it acknowledged."""
    client = start()
    await client.initialize()
    acknowledged = [(await client.tool("memory_store", content=f"memory {i}"))["id"] for i in range(20)]
    await client.send_line(
        b'{"jsonrpc": "2.0", "id": 999, "method": "tools/call", '
        b'"params": {"name": "memory_store", "arguments": {"content": "in flight"}}}'
    )
    process = await client.process()
    process.kill()
    await process.wait()
    survivor = start()
    await survivor.initialize()
    for memory_id in acknowledged:
        assert (await survivor.tool("memory_get", id=memory_id))["id"] == memory_id
