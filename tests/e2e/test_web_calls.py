"""Calls over HTTP that take long: they tell how far they are, and end with who asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from tests.e2e.client import PATIENCE_S, Json
from tests.e2e.web import ACCEPT, WebClient, WebFront
from tests.fakes.daemon import FakeDaemon

SLOW: Json = {"name": "memory_store_many", "arguments": {"items": [{"content": "slow"}]}}
META = "io.modelcontextprotocol/"
ENVELOPE: Json = {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": SLOW["name"]}


async def give_up_2025(url: str, token: str, daemon: FakeDaemon) -> None:
    """Ask in a session of 2025-11-25, and cancel by a notification; the stream of the call says so."""
    with WebClient(url, token) as client:
        await asyncio.to_thread(client.hello)
        message = {"id": 7, "method": "tools/call", "params": SLOW}
        call = asyncio.create_task(asyncio.to_thread(client.post, message))
        await daemon.until(lambda: daemon.requests)
        cancel = {"method": "notifications/cancelled", "params": {"requestId": 7}}
        await asyncio.to_thread(client.post, cancel)
        assert "cancelled" in (await call).text


async def give_up_2026(url: str, token: str, daemon: FakeDaemon) -> None:
    """Ask by a request of 2026-07-28, and cancel by closing its stream."""
    headers = ACCEPT | MODERN | {"Authorization": f"Bearer {token}"}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {**SLOW, "_meta": ENVELOPE}}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
        call = asyncio.create_task(http.post(url, json=message))
        await daemon.until(lambda: daemon.requests)
        call.cancel()
        await asyncio.wait({call})


@pytest.mark.parametrize("give_up", [give_up_2025, give_up_2026])
async def test_a_call_that_was_given_up_stores_nothing(
    daemon: FakeDaemon, serve: Callable[..., WebFront], give_up: Callable[..., Awaitable[None]]
) -> None:
    """The daemon hangs, the client goes, and so does the call to the daemon; the next one finds nothing of it."""
    front = serve()
    token = front.token("me")
    await daemon.change(hang=True)
    async with asyncio.timeout(PATIENCE_S):
        await give_up(front.url, token, daemon)
        await daemon.until(lambda: daemon.given_up)
    await daemon.change(hang=False)
    with WebClient(front.url, token) as client:
        assert (await asyncio.to_thread(client.tool, "memory_store", content="after"))["created"] is True
        assert (await asyncio.to_thread(client.tool, "memory_list"))["total"] == 1


@pytest.mark.parametrize("era", ["2025", "2026"])
def test_a_long_call_tells_how_far_it_is(serve: Callable[..., WebFront], era: str) -> None:
    """On the stream of its own answer, as a token for it was given."""
    items = [{"content": f"text {number}"} for number in range(200)]
    params = {"name": SLOW["name"], "arguments": {"items": items}, "_meta": {"progressToken": "p"}}
    with serve().client("me") as client:
        if era == "2025":
            client.hello()
        else:
            client.http.headers.update(MODERN)
            params["_meta"] = {"progressToken": "p", **ENVELOPE}
        answer = client.post({"id": 7, "method": "tools/call", "params": params})
    messages = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    *told, last = [message.get("params", {}).get("progress") for message in messages]
    assert last is None
    assert told == sorted(told)
    assert told[-1] == 200
    assert len(messages[-1]["result"]["structuredContent"]["items"]) == 200


def test_an_id_may_be_used_again_once_its_answer_was_read(serve: Callable[..., WebFront]) -> None:
    """A session that gives all its requests one id is served, as each is sent when the one before was answered."""
    with serve().client("me") as client:
        client.hello()
        answers = [client.post({"id": 7, "method": "ping"}) for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert ['"result"' in answer.text for answer in answers] == [True] * 50
