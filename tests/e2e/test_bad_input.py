"""Bad input: each message is answered, names the argument and the bound, and the session lives on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.client import Json, RawClient, ToolError
from tests.fakes.daemon import FakeDaemon

BLNS = Path(__file__).parents[2].parent / "shared" / "data" / "robustness" / "blns.json"

REFUSED: list[tuple[str, Json, str]] = [
    ("memory_store", {"content": ""}, "content: .*at least 1 character"),
    ("memory_store", {"content": " \n\t"}, "content: must not be blank"),
    ("memory_store", {"content": "x" * 10_000_000}, "content: .*at most 1000000 characters"),
    ("memory_store", {"content": {"a": 1}}, "content: .*string"),
    ("memory_store", {}, "content: is required"),
    ("memory_store", {"content": "x", "namespace": "n" * 1000}, "namespace: .*at most 128 characters"),
    ("memory_store", {"content": "x", "metadata": {"a": "b" * 70_000}}, "metadata: .*at most 65536"),
    ("memory_store", {"content": "x", "tags": ["t" * 1000]}, "tags.0: .*at most 128"),
    ("memory_store", {"content": "x", "created_at": "someday"}, "created_at: .*datetime"),
    ("memory_store", {"content": "x", "created_at": "yesterday"}, "created_at: .*time_expr in filters takes words"),
    ("memory_list", {"after": "3 days ago"}, "after: .*use time_expr for words"),
    ("memory_list", {"after": "2024-05-01T10:60"}, "after: .*minute must be in 0..59$"),
    ("memory_list", {"metadata": {"k" * 60_000: {"$x": 1}}}, "metadata.kkk"),
    ("memory_list", {"metadata": {"k" * 60_000: {}}}, "metadata.kkk"),
    ("memory_list", {"metadata": {"k": {"$" + "x" * 60_000: 1}}}, r"metadata.k: unknown operator '\$xxx"),
    ("memory_list", {"n" * 60_000: 1}, "nnn.*: is not an argument"),
    ("memory_get", {"id": "nobody", "revision": 0}, "revision: .*greater than or equal to 1"),
    ("memory_store", {"content": "x", "text": "y"}, "text: is an alias of content"),
    ("memory_store_many", {"items": []}, "items: .*at least 1"),
    ("memory_store_many", {"items": [{"content": "x"}] * 1001}, "items: .*at most 1000"),
    ("memory_search", {"query": "x", "limit": -1}, "limit: .*greater than or equal to 1"),
    ("memory_search", {"query": "x", "limit": 101}, "limit: .*less than or equal to 100"),
    ("memory_search", {"query": "x", "limt": 5}, "limt: is not an argument of this tool; did you mean limit?"),
    ("memory_search", {"query": "x", "mode": "magic"}, "mode: .*'auto', 'semantic', 'keyword' or 'hybrid'"),
    ("memory_search", {"query": "x", "min_score": 2}, "min_score: .*less than or equal to 1"),
    ("memory_search", {"query": "x", "time_expr": "qwertz"}, "time_expr: 'qwertz' is no time"),
    ("memory_list", {"cursor": "nonsense"}, "cursor: is not one that memory_list returned"),
    ("memory_get", {"id": "nobody"}, "id: no memory 'nobody'"),
    ("memory_update", {"id": "nobody"}, "arguments: give at least one of"),
    ("memory_delete", {}, "id: give either an id or at least one filter"),
    ("memory_health", {"verbose": True}, "verbose: is not an argument"),
]


async def test_what_is_refused_names_the_argument_and_the_bound(daemon: FakeDaemon, client: RawClient) -> None:
    """Each error is one sentence that the model can act on, nothing is stored, and the session lives on."""
    for tool, arguments, match in REFUSED:
        with pytest.raises(ToolError, match=match) as caught:
            await client.tool(tool, **arguments)
        assert len(str(caught.value)) < 400
        assert "http" not in str(caught.value)
        assert (await client.tool("memory_list"))["total"] == 0


async def test_content_is_never_parsed(daemon: FakeDaemon, client: RawClient) -> None:
    """What looks like JSON, or holds NUL bytes, comes back as it was given."""
    for content in ['{"a": 1}', "null", "[1, 2]", "true", "3.5", '"quoted"', "a\x00b", "\x00"]:
        stored = await client.tool("memory_store", content=content)
        assert (await client.tool("memory_get", id=stored["id"]))["content"] == content
        assert stored["embedded"] is True


async def test_a_number_too_large_to_be_finite_is_refused(daemon: FakeDaemon, client: RawClient) -> None:
    """1e999 is JSON, and would come back as what is none."""
    await client.send_line(
        b'{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "memory_store", '
        b'"arguments": {"content": "x", "metadata": {"a": [1e999]}}}}'
    )
    result = (await client.answer(77))["result"]
    assert result["isError"] is True
    assert "metadata: must be JSON with finite numbers" in result["content"][0]["text"]


BROKEN: list[tuple[bytes, int, int | str | None]] = [
    (b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"x": "\xff\xfe"}}', -32700, None),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"x": "\\ud800"}}', -32700, 7),
    (b"not json", -32700, None),
    (b'{"jsonrpc": "2.0", "id": 7', -32700, None),
    (b"[" * 100_000, -32700, None),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"x": NaN}}', -32700, 7),
    (b"[]", -32600, None),
    (b"17", -32600, None),
    (b'{"id": 7, "method": "ping"}', -32600, 7),
    (b'{"jsonrpc": "2.0", "id": "a", "method": 5}', -32600, "a"),
    (b'{"jsonrpc": "1.0", "id": true, "method": "ping"}', -32600, None),
]


async def test_broken_messages_are_answered(client: RawClient) -> None:
    """No UTF-8 JSON is -32700, JSON that is no request -32600; the id is given back where it can be read."""
    for line, code, request_id in BROKEN:
        await client.send_line(line)
        answer = await client.next_message()
        assert (answer["error"]["code"], answer["id"]) == (code, request_id), line[:80]
        assert "result" in await client.request("ping")


async def test_a_message_over_the_bound_is_refused_and_skipped(client: RawClient) -> None:
    """A line of more than 64 MiB is answered with the bound, and its rest is not read as messages."""
    await client.send_line(b'{"jsonrpc": "2.0", "id": 7, "method": "' + b"x" * (65 * 1024 * 1024) + b'"}')
    answer = await client.next_message()
    assert answer["error"]["code"] == -32600
    assert "67108864 bytes" in answer["error"]["message"]
    assert "result" in await client.request("ping")


@pytest.mark.skipif(not BLNS.exists(), reason=f"{BLNS} is not here")
async def test_every_naughty_string_is_stored_or_refused(daemon: FakeDaemon, client: RawClient) -> None:
    """Each naughty string comes back as it was given, can be searched for and used as a tag, or is refused by name."""
    strings: list[str] = json.loads(BLNS.read_text(encoding="utf-8"))
    for text in strings:
        if not text.strip():
            with pytest.raises(ToolError, match="content"):
                await client.tool("memory_store", content=text)
            continue
        stored = await client.tool("memory_store", content=text, tags=[text[:100]], conversation_id=text[:100])
        memory = await client.tool("memory_get", id=stored["id"])
        assert memory["content"] == text
        assert (await client.tool("memory_search", query=text, mode="keyword"))["degraded"] is False
    assert (await client.tool("memory_health"))["store"]["state"] == "open"


async def test_a_damaged_database_is_named_and_kept(
    folder: Path, daemon: FakeDaemon, start: Callable[..., RawClient]
) -> None:
    """The handshake works; every tool names the file and the fix; not a byte of the file changes."""
    path = folder / "memory.db"
    path.write_bytes(b"this is no database at all" * 500)
    before = path.read_bytes()
    client = start()
    assert "result" in await client.initialize()
    assert len((await client.request("tools/list"))["result"]["tools"]) == 10
    with pytest.raises(ToolError, match="damaged or not a database") as caught:
        await client.tool("memory_store", content="x")
    assert str(path) in str(caught.value)
    assert "backup" in str(caught.value)
    health = await client.tool("memory_health")
    assert health["status"] == "failed"
    assert str(path) in health["store"]["cause"]
    assert path.read_bytes() == before
