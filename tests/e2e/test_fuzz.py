"""Raw JSON-RPC that nobody would write: every line is answered once, and the session lives on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import PATIENCE_S, Json, RawClient
from tests.e2e.web import WebFront

PING = b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"_meta": {"x": %s}}}'

DEEP = PING % (b"[" * 10_000 + b"]" * 10_000)
SURROGATE = PING % b'"\\ud800"'
NOT_UTF8 = PING % b'"\xff\xfe"'
NUL = PING % b'"\\u0000"'


IDS: list[object] = [0, -1, 2**53, 2**63, "", "a", "7", "x" * 10_000, "\u0000", "é", None, 1.5, True, [], {}, [1]]


async def test_an_id_of_any_type_is_answered(client: RawClient) -> None:
    """A number or a text comes back as it was; anything else is no request."""
    for request_id in IDS:
        await client.send_line(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"}).encode())
        answer = await client.next_message()
        if isinstance(request_id, str) or type(request_id) is int:
            assert (answer["id"], answer["result"]) == (request_id, {})
        else:
            assert (answer["id"], answer["error"]["code"]) == (None, -32600), request_id
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


def test_http_answers_whatever_it_is_sent(serve: Callable[..., WebFront]) -> None:
    """A body that is no request is a 4xx with the protocol's error; the session lives on."""
    front = serve()
    kind = {"Content-Type": "application/json"}
    with front.client("me") as client:
        client.hello()
        for line in (DEEP, SURROGATE, NOT_UTF8, b"", b"nonsense", b"[]", b"17", NUL):
            answer = client.http.post(front.url, headers=kind, content=line, timeout=PATIENCE_S)
            if line != NUL:
                assert answer.status_code in {400, 200}, line[:80]
                error: Json = json.loads(answer.text[answer.text.index("{") :])["error"]
                assert error["code"] in {-32700, -32600, -32602}, line[:80]
            assert client.request("ping")["result"] == {}
