"""A client that asks for more than it takes: it is held back, and what it has asked for is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from memory_mcp.server.mcp.stdio import MOST_UNANSWERED
from tests.e2e.client import PATIENCE_S, Json, RawClient
from tests.fakes.daemon import FakeDaemon

META: Json = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def line(method: str, request_id: int, **params: object) -> bytes:
    """Return a request as it is sent."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(message).encode()


async def test_more_requests_than_may_wait_are_answered_all(start: Callable[..., RawClient]) -> None:
    """Who writes many without waiting is read as fast as it is answered."""
    client, count = start(), 2 * MOST_UNANSWERED
    await client.process()
    writing = asyncio.create_task(client.send_line(b"\n".join(line("prompts/list", number) for number in range(count))))
    answers = [await client.next_message() for _ in range(count)]
    await writing
    assert sorted(answer["id"] for answer in answers) == list(range(count))
    assert all("result" in answer for answer in answers)


async def test_when_all_wait_for_ever_a_cancellation_makes_room(start: Callable[..., RawClient]) -> None:
    """One more request is refused with the bound; the one after a cancellation is answered."""
    client = start()
    listens = (line("subscriptions/listen", number, notifications={}) for number in range(MOST_UNANSWERED))
    await client.send_line(b"\n".join(listens))
    await client.send_line(line("prompts/list", 5_000))
    assert "1000 requests are unanswered" in (await client.answer(5_000))["error"]["message"]
    await client.send_line(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}')
    await client.send_line(line("prompts/list", 5_001))
    assert "result" in await client.answer(5_001)
    (await client.process()).terminate()  # else it waits for those that listen


async def test_both_requests_of_one_id_are_answered_before_the_end(daemon: FakeDaemon, client: RawClient) -> None:
    """The input ends when one of the two has its answer: the other gets its own."""
    await daemon.change(hang=True)
    params = {"name": "memory_store_many", "arguments": {"items": [{"content": "wine"}]}}
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    await client.send_line(json.dumps(call).encode())
    async with asyncio.timeout(PATIENCE_S):
        await daemon.until(lambda: daemon.requests)
    await client.send_line(b'{"jsonrpc": "2.0", "id": 7, "method": "ping"}')
    assert (await client.answer(7))["result"] == {}
    stdin = (await client.process()).stdin
    assert stdin is not None
    stdin.close()
    await daemon.change(hang=False)
    assert "result" in await client.answer(7)
