"""The tools through a real client over real stdio."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mcp import Client, StdioServerParameters

from memory_mcp.memories.service import DELETED_AT_ONCE
from memory_mcp.tools.fields import FilterArguments
from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import FRONT
from tests.fakes.daemon import FakeDaemon

NAMES = [
    "memory_store",
    "memory_store_many",
    "memory_search",
    "memory_list",
    "memory_get",
    "memory_update",
    "memory_delete",
    "memory_context",
    "memory_ingest",
    "memory_health",
]

BUDGET = 8_000
"""Characters of the tools' names, descriptions and input schemas as JSON, which each model pays for in each session.

ChatGPT's two are counted apart.
"""
BRIEF = ("memory_list", "memory_delete", "memory_context")
"""The tools that leave it to memory_search to explain the filters."""
MEANING = ("type", "enum")
"""What an argument's schema says wherever it is named."""


async def test_the_sdks_own_client_stores_and_recalls(daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """The official client shakes hands, lists, stores and searches; results fit the advertised output schemas."""
    server = StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)
    async with Client(server) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
        stored = await client.call_tool("memory_store", {"content": "My sister is allergic to peanuts."})
        assert stored.structured_content is not None
        assert stored.structured_content["created"] is True
        assert stored.structured_content["embedded"] is True
        found = await client.call_tool("memory_search", {"query": "peanuts allergic"})
        assert found.structured_content is not None
        assert found.structured_content["results"][0]["content"] == "My sister is allergic to peanuts."
        assert found.structured_content["mode"] == "hybrid"
        assert found.structured_content["degraded"] is False


async def test_the_modern_era_needs_no_handshake(start: Callable[..., RawClient]) -> None:
    """A client of 2026-07-28 discovers and lists without `initialize`, and hears that no list ever changes."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    client = start()
    discovered = await client.request("server/discover", {"_meta": meta})
    capabilities = discovered["result"]["capabilities"]
    assert capabilities["resources"]["subscribe"] is True
    assert [capabilities[kind].get("listChanged", False) for kind in ("tools", "resources", "prompts")] == [False] * 3
    listed = await client.request("tools/list", {"_meta": meta})
    assert [tool["name"] for tool in listed["result"]["tools"]] == NAMES


async def test_the_advertised_list_is_small(start: Callable[..., RawClient]) -> None:
    """Names, descriptions and input schemas are within the budget, without titles; each argument is explained."""
    client = start()
    await client.initialize()
    tools = (await client.request("tools/list"))["result"]["tools"]
    shown = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    assert len(text) <= BUDGET
    assert '"title":"' not in text  # an argument may have this name
    assert all(tool["outputSchema"]["type"] == "object" for tool in tools)
    arguments = {tool["name"]: tool["inputSchema"].get("properties", {}) for tool in tools}
    bare = [(tool, name) for tool, of in arguments.items() for name, field in of.items() if "description" not in field]
    assert bare == [(tool, name) for tool in BRIEF for name in FilterArguments.model_fields]
    for tool, name in bare:
        explained, brief = arguments["memory_search"][name], arguments[tool][name]
        assert {key: brief.get(key) for key in MEANING} == {key: explained.get(key) for key in MEANING}, (tool, name)
    described = {tool["name"]: tool["description"] for tool in tools}
    assert all("as in memory_search" in described[tool] for tool in BRIEF)
    hints = {tool["name"]: tool["annotations"] for tool in tools}
    assert hints["memory_search"]["readOnlyHint"] is True
    assert hints["memory_delete"]["destructiveHint"] is True
    assert hints["memory_store"]["idempotentHint"] is True
    assert [name for name, given in hints.items() if given["openWorldHint"]] == ["memory_context"]


async def test_a_memorys_life(daemon: FakeDaemon, client: RawClient) -> None:
    """Store, duplicate, get, update, history, list, delete: each says what the contract says."""
    first = await client.tool("memory_store", content="Café meeting on Monday", tags=["work"], metadata={"room": 4})
    again = await client.tool("memory_store", text="Cafe\u0301 meeting on Monday", tags="work, urgent")
    assert again == {"id": first["id"], "created": False, "merged": ["urgent"], "embedded": True}
    memory = await client.tool("memory_get", id=first["id"])
    assert memory["tags"] == ["urgent", "work"]
    assert memory["metadata"] == {"room": 4}
    assert memory["revision"] == 1
    assert memory["embedded"] is True
    updated = await client.tool("memory_update", id=first["id"], content="Meeting moved", expected_revision=1)
    assert updated["revision"] == 2
    with pytest.raises(ToolError, match="expected_revision: 1 was expected, the memory is at revision 2"):
        await client.tool("memory_update", id=first["id"], content="Lost update", expected_revision=1)
    history = (await client.tool("memory_get", id=first["id"], history=True))["revisions"]
    assert [revision["content"] for revision in history] == ["Café meeting on Monday"]
    assert (await client.tool("memory_search", query="Monday", mode="keyword"))["results"] == []
    assert (await client.tool("memory_list"))["total"] == 1
    would = await client.tool("memory_delete", id=first["id"], dry_run=True)
    assert would == {"ids": [first["id"]], "dry_run": True, "interval": None}
    assert (await client.tool("memory_delete", id=first["id"]))["ids"] == [first["id"]]
    with pytest.raises(ToolError, match="no memory"):
        await client.tool("memory_get", id=first["id"])
    assert (await client.tool("memory_search", query="meeting"))["results"] == []


async def test_many_at_once(daemon: FakeDaemon, client: RawClient) -> None:
    """A bulk store reports each item in order, with progress; a wrong item keeps no other out."""
    items = [{"content": f"fact number {i}"} for i in range(150)]
    items[3] = {"content": "   "}
    items[5] = {"contnt": "typo"}
    answer = await client.request(
        "tools/call",
        {"name": "memory_store_many", "arguments": {"items": items}, "_meta": {"progressToken": "p"}},
    )
    results = answer["result"]["structuredContent"]["items"]
    assert len(results) == 150
    assert results[3] == {"error": "content: must not be blank"}
    assert results[5] == {"error": "contnt: is not an argument of this tool; did you mean content?"}
    assert all(result["created"] for i, result in enumerate(results) if i not in {3, 5})
    progress = [n["params"]["progress"] for n in client.notifications if n["method"] == "notifications/progress"]
    assert progress == sorted(progress)
    assert progress[-1] == 148
    assert (await client.tool("memory_list", limit=1))["total"] == 148


async def test_a_search_tells_what_it_left_out(daemon: FakeDaemon, client: RawClient) -> None:
    """Near misses below the bar and near duplicates are told, in fields and in words."""
    for text in ("The violin lesson is on Monday", "the violin lesson is on Monday!", "Rain again"):
        await client.tool("memory_store", content=text)
    found = await client.tool("memory_search", query="violin lesson", collapse=True, recency=0.5)
    assert found["intent"] == "topic"
    assert found["near_misses"] is None
    assert [len(hit["duplicates"]) for hit in found["results"]] == [1, 0]
    answer = await client.request(
        "tools/call", {"name": "memory_search", "arguments": {"query": "when is the violin lesson", "min_score": 0.99}}
    )
    missed = answer["result"]["structuredContent"]
    assert (missed["results"], missed["intent"], missed["near_misses"]["count"]) == ([], "time", 3)
    assert 0 < missed["near_misses"]["best_score"] < 0.99
    assert "No result reaches min_score; 3 are below it" in answer["result"]["content"][0]["text"]


async def test_filters_work_inside_the_search(daemon: FakeDaemon, client: RawClient) -> None:
    """A filtered search returns what matches although everything else is nearer."""
    await client.tool("memory_store_many", items=[{"content": f"apple pie recipe {i}"} for i in range(300)])
    for i in range(3):
        await client.tool(
            "memory_store",
            content=f"unrelated words {i}",
            tags=["rare"],
            type="fact",
            metadata={"n": i},
            conversation_id="talk",
            created_at=f"2023-05-0{i + 1}T12:00:00Z",
        )
    for mode in ("auto", "semantic", "hybrid"):
        found = await client.tool("memory_search", query="apple pie", tags=["rare"], mode=mode, limit=3)
        assert len(found["results"]) == 3, mode
    narrow = await client.tool("memory_search", query="apple", type="fact", metadata={"n": 1})
    assert [hit["content"] for hit in narrow["results"]] == ["unrelated words 1"]
    may = await client.tool("memory_list", time_expr="in May 2023", conversation_id="talk")
    assert may["total"] == 3
    first = await client.tool("memory_list", before="2023-05-02T00:00:00Z")
    assert [memory["content"] for memory in first["memories"]] == ["unrelated words 0"]


async def test_namespaces_are_apart(daemon: FakeDaemon, client: RawClient) -> None:
    """What one namespace holds is not found from another; the default is the setting's."""
    await client.tool("memory_store", content="secret plan", namespace="other")
    assert (await client.tool("memory_search", query="secret plan"))["results"] == []
    assert (await client.tool("memory_list"))["total"] == 0
    found = await client.tool("memory_search", query="secret plan", namespace="other")
    assert len(found["results"]) == 1


async def test_long_content_says_which_passage_fits(daemon: FakeDaemon, client: RawClient) -> None:
    """Content of many passages scores as its best one, and the hit names it."""
    sections = [f"# Part {i}\n\n" + " ".join(f"word{i}x{j}" for j in range(110)) for i in range(8)]
    sections[5] += "\n\nThe zebra escaped from the zoo."
    await client.tool("memory_store", content="\n\n".join(sections))
    [hit] = (await client.tool("memory_search", query="zebra escaped from zoo word5x1 word5x2", mode="semantic"))[
        "results"
    ]
    assert "zebra" in hit["passage"]
    assert len(hit["passage"]) <= 1_000
    assert hit["content"] == "\n\n".join(sections)
    short = await client.tool("memory_search", query="zebra", max_chars=100)
    assert len(short["results"][0]["content"]) == 100


async def test_pages_follow_each_other(daemon: FakeDaemon, client: RawClient) -> None:
    """The cursor leads through all memories once, newest first, while others are written."""
    await client.tool("memory_store_many", items=[{"content": f"number {i}"} for i in range(45)])
    seen: list[str] = []
    cursor = None
    while True:
        page = await client.tool("memory_list", cursor=cursor)
        seen += [memory["content"] for memory in page["memories"]]
        await client.tool("memory_store", content=f"intruder {len(seen)}")
        if (cursor := page["next_cursor"]) is None:
            break
    assert [text for text in seen if text.startswith("number")] == [f"number {i}" for i in reversed(range(45))]


async def test_a_long_deletion_tells_how_far_it_is(daemon: FakeDaemon, client: RawClient) -> None:
    """Some hundred go at a time, so that others can write meanwhile; the ids that fit an answer are named."""
    items = [{"content": f"text {number}", "tags": ["old"]} for number in range(DELETED_AT_ONCE + 100)]
    stored = await client.tool("memory_store_many", items=items)
    await client.tool("memory_store", content="kept")
    params = {"name": "memory_delete", "arguments": {"tags": ["old"]}, "_meta": {"progressToken": "p"}}
    gone = (await client.request("tools/call", params))["result"]["structuredContent"]
    assert set(gone["ids"]) <= {item["id"] for item in stored["items"]}
    assert len(set(gone["ids"])) + gone["left_out"] == len(items)
    told = [(note["params"]["progress"], note["params"]["total"]) for note in client.notifications]
    assert told == [(DELETED_AT_ONCE, len(items)), (len(items), len(items))]
    assert (await client.tool("memory_list"))["total"] == 1


async def test_an_unknown_tool_is_an_error_of_the_protocol(client: RawClient) -> None:
    """A name that is no tool is answered with -32602."""
    answer = await client.request("tools/call", {"name": "memory_forget", "arguments": {}})
    assert answer["error"]["code"] == -32602
    assert answer["error"]["data"]["memory-mcp/error"] == "not_found"


async def test_a_read_only_front_hides_and_refuses_writes(client: RawClient, start: Callable[..., RawClient]) -> None:
    """Only what reads is listed, a write is refused by name, and what others store is found."""
    await client.tool("memory_store", content="The cat is called Miso", id="a")
    reader = start(MCP_MEMORY_READ_ONLY="1")
    assert "store" not in (await reader.initialize())["result"]["instructions"]
    prompts = (await reader.request("prompts/list"))["result"]["prompts"]
    assert [prompt["name"] for prompt in prompts] == ["recall", "review"]
    assert "unknown prompt" in (await reader.request("prompts/get", {"name": "save_session"}))["error"]["message"]
    tools = (await reader.request("tools/list"))["result"]["tools"]
    assert [tool["name"] for tool in tools] == [
        "memory_search",
        "memory_list",
        "memory_get",
        "memory_context",
        "memory_health",
    ]
    for name in set(NAMES) - {tool["name"] for tool in tools}:
        error = (await reader.request("tools/call", {"name": name, "arguments": {"id": "a"}}))["error"]
        assert f"{name} writes, but this server is read-only" in error["message"]
    assert (await reader.tool("memory_search", query="cat"))["results"][0]["id"] == "a"


async def test_chatgpts_tools_are_there_when_asked(client: RawClient, start: Callable[..., RawClient]) -> None:
    """`search` and `fetch` answer in OpenAI's own words, and their text is the same JSON."""
    await client.tool("memory_store", content="The cat is called Miso.\nIt is grey.", id="a", tags=["pets"])
    chatgpt = start(MCP_MEMORY_CHATGPT_TOOLS_ENABLED="1")
    await chatgpt.initialize()
    tools = (await chatgpt.request("tools/list"))["result"]["tools"]
    assert [tool["name"] for tool in tools] == [*NAMES, "search", "fetch"]
    hit = {"id": "a", "title": "The cat is called Miso.", "url": "memory://memory/a"}
    for name, arguments, expected in (
        ("search", {"query": "cat"}, {"results": [hit]}),
        ("fetch", {"id": "a"}, {**hit, "text": "The cat is called Miso.\nIt is grey."}),
    ):
        answer = (await chatgpt.request("tools/call", {"name": name, "arguments": arguments}))["result"]
        assert expected.items() <= answer["structuredContent"].items()
        assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]
    assert (await client.request("tools/call", {"name": "fetch", "arguments": {"id": "a"}}))["error"]
