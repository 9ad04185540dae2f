"""Raw JSON-RPC that nobody would write: every line is answered once, and the session lives on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import PATIENCE_S, Json, RawClient
from tests.e2e.web import WebFront
from tests.fakes.daemon import FakeDaemon

PING = b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"_meta": {"x": %s}}}'

DEEP = PING % (b"[" * 10_000 + b"]" * 10_000)
SURROGATE = PING % b'"\\ud800"'
NOT_UTF8 = PING % b'"\xff\xfe"'
NUL = PING % b'"\\u0000"'
WRONG_IDS = (b"null", b"1.5", b"true", b"[]", b"[1]", b"{}")
MODERN = {"MCP-Protocol-Version": "2026-07-28"}


IDS = [0, -1, 2**53, 2**63, "", "a", "7", "x" * 10_000, "\u0000", "é"]
NO_IDS: list[object] = [None, 1.5, True, [], {}, [1]]


async def test_an_id_of_any_type_is_answered(client: RawClient) -> None:
    """A number or a text comes back as it was; anything else is no request."""
    for request_id in [*IDS, *NO_IDS]:
        await client.send_line(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"}).encode())
        answer = await client.next_message()
        if request_id in NO_IDS:
            assert (answer["id"], answer["error"]["code"]) == (None, -32600), request_id
        else:
            assert (answer["id"], answer["result"]) == (request_id, {})
        assert "result" in await client.request("ping")


async def test_equal_ids_are_answered_each(client: RawClient) -> None:
    """Two requests of one id, one after the other, get two answers."""
    for _ in range(3):
        await client.send_line(PING % b"1")
        assert (await client.next_message())["result"] == {}


async def test_a_batch_is_refused(client: RawClient) -> None:
    """The protocol has none since 2025-06-18."""
    for line in (b"[%s]" % (PING % b"1"), b"[1, %s]" % (PING % b"2"), b"[1, 2]", b"[[]]"):
        await client.send_line(line)
        assert (await client.next_message())["error"]["code"] == -32600, line
        assert "result" in await client.request("ping")


async def test_a_line_that_was_cut_is_refused(client: RawClient) -> None:
    """Each piece is a line of its own, and none is a request."""
    line = PING % b"1"
    for cut in (1, 10, 30, 50):
        for piece in (line[:cut], line[cut:]):
            await client.send_line(piece)
            assert (await client.next_message())["error"]["code"] in {-32700, -32600}, piece
        assert "result" in await client.request("ping")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_a_hundred_megabytes_are_skipped(client: RawClient) -> None:
    """The front refuses the line without keeping it; its memory stays bounded."""
    await client.send_line(b'{"jsonrpc": "2.0", "id": 7, "method": "' + b"x" * 100_000_000 + b'"}')
    assert (await client.next_message())["error"]["code"] == -32600
    assert "result" in await client.request("ping")
    status = Path(f"/proc/{(await client.process()).pid}/status").read_text(encoding="ascii")
    assert int(status.partition("VmHWM:")[2].split()[0]) < 500_000


NO_MESSAGES = [
    (DEEP, -32700),
    (SURROGATE, -32700),
    (NOT_UTF8, -32700),
    (b"", -32700),
    (b"nonsense", -32700),
    (PING % b"NaN", -32700),
    (b"[]", -32600),
    (b"[%s]" % (PING % b"1"), -32600),
    (b"17", -32600),
    *((b'{"jsonrpc": "2.0", "id": %s, "method": "ping"}' % wrong, -32600) for wrong in WRONG_IDS),
]


def test_http_answers_as_stdio_does(serve: Callable[..., WebFront]) -> None:
    """A body that is no request is a 400 with the protocol's error, in both eras; the session lives on."""
    front = serve()
    with front.client("me") as client:
        client.hello()
        for line, code in NO_MESSAGES:
            for era in ({}, MODERN):
                kind = {"Content-Type": "application/json"} | era
                answer = client.http.post(front.url, headers=kind, content=line, timeout=PATIENCE_S)
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), line[:80]
        kind = {"Content-Type": "application/json"}
        assert client.http.post(front.url, headers=kind, content=NUL).status_code == 200
        for request_id in IDS:
            stream = client.post({"id": request_id, "method": "ping"}).text
            assert json.loads("{" + stream.partition("data: {")[2])["id"] == request_id


async def test_equal_ids_at_once_are_answered_each(
    daemon: FakeDaemon, client: RawClient, serve: Callable[..., WebFront]
) -> None:
    """Stdio answers both; over HTTP, where nobody could tell which answer is whose, the second is refused."""
    params: Json = {"name": "memory_store_many", "arguments": {"items": [{"content": "wine"}]}}
    store: Json = {"id": 7, "method": "tools/call", "params": params}
    await daemon.change(hang=True)
    for _ in range(2):
        await client.send_line(json.dumps({"jsonrpc": "2.0", **store}).encode())
    front = serve()
    with front.client("me") as web:
        web.hello()
        first = asyncio.create_task(asyncio.to_thread(web.post, store))
        async with asyncio.timeout(PATIENCE_S):
            while len(daemon.requests) < 3:
                await client.request("ping")
        refused = await asyncio.to_thread(web.post, {**store, "id": "7"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32600)
        await daemon.change(hang=False)
        assert (await first).status_code == 200
        assert "result" in await asyncio.to_thread(web.request, "tools/call", params)
    for _ in range(2):
        assert "result" in await client.answer(7)


def test_a_notification_wants_no_answer(serve: Callable[..., WebFront]) -> None:
    """What has no id is accepted and not answered, whatever it is called."""
    with serve().client("me") as client:
        client.hello()
        for method in ("notifications/cancelled", "notifications/unheard-of"):
            answer = client.post({"method": method, "params": {"requestId": 99}})
            assert (answer.status_code, answer.content) == (202, b"")


OWN_ERROR: Json = {"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": "no"}}


async def test_a_clients_own_error_is_not_sent_back(client: RawClient, serve: Callable[..., WebFront]) -> None:
    """It answers a request of the server, if there was one, and wants no answer."""
    await client.send_line(json.dumps(OWN_ERROR).encode())
    await client.send_line(b'{"jsonrpc": "2.0", "id": 8, "method": "ping"}')
    assert (await client.next_message())["id"] == 8
    with serve().client("me") as web:
        web.hello()
        answer = web.post(OWN_ERROR)
    assert (answer.status_code, answer.text) == (202, "")
