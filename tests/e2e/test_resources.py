"""Resources, prompts, completions and subscriptions, as a client meets them in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.subscriptions import ResourceUpdated

from tests.e2e.client import Json, RawClient
from tests.e2e.conftest import FRONT
from tests.fakes.daemon import FakeDaemon

UPDATED = "notifications/resources/updated"


async def read(client: RawClient, uri: str) -> Any:
    """Return a resource's JSON."""
    [content] = (await client.request("resources/read", {"uri": uri}))["result"]["contents"]
    assert (content["uri"], content["mimeType"]) == (uri, "application/json")
    return json.loads(content["text"])


async def hear(client: RawClient, seconds: float = 5) -> str:
    """Return the address of the next resource that the client hears of."""
    async with asyncio.timeout(seconds):
        while not client.notifications:
            client.notifications.append(await client.next_message())
    message = client.notifications.pop(0)
    assert message["method"] == UPDATED
    uri: str = message["params"]["uri"]
    return uri


async def test_resources_show_the_callers_namespace(daemon: FakeDaemon, client: RawClient) -> None:
    """Counts, the newest, those of a tag, and one by its id; another namespace's are not there."""
    del daemon
    first = (await client.tool("memory_store", content="one", tags=["red wine"], conversation_id="talk"))["id"]
    await client.tool("memory_store", content="two", tags=["blue"])
    other = (await client.tool("memory_store", content="secret", namespace="other", tags=["red wine"]))["id"]
    stats = await read(client, "memory://stats")
    assert (stats["memories"], stats["conversations"], stats["tags"]) == (2, 1, {"blue": 1, "red wine": 1})
    recent = await read(client, "memory://recent/1")
    assert ([memory["content"] for memory in recent["memories"]], recent["total"]) == (["two"], 2)
    tagged = await read(client, "memory://tag/red%20wine")
    assert [memory["id"] for memory in tagged["memories"]] == [first]
    assert (await read(client, f"memory://memory/{first}"))["content"] == "one"
    refused = await client.request("resources/read", {"uri": f"memory://memory/{other}"})
    assert refused["error"]["code"] == -32602


NO_URIS = (
    *("memory://nothing", "memory://recent/0", "memory://recent/101", "memory://tag/", "file:///etc/passwd", ""),
    f"memory://recent/{'9' * 5_000}",
)


async def test_what_is_no_resource_is_refused_by_name(client: RawClient) -> None:
    """The sentence names what there is; reading and subscribing agree."""
    for method, uri in product(("resources/read", "resources/subscribe"), NO_URIS):
        error = (await client.request(method, {"uri": uri}))["error"]
        assert error["code"] == -32602, (method, uri)
        assert "memory://recent/{n}" in error["message"], (method, uri)


async def test_the_lists_of_resources_templates_and_prompts(client: RawClient) -> None:
    """They are there without a store or a daemon, and the capabilities say so."""
    resources = (await client.request("resources/list"))["result"]["resources"]
    templates = (await client.request("resources/templates/list"))["result"]["resourceTemplates"]
    prompts = (await client.request("prompts/list"))["result"]["prompts"]
    assert [resource["uri"] for resource in resources] == ["memory://stats", "memory://recent/10"]
    assert [template["uriTemplate"] for template in templates] == [
        "memory://recent/{n}",
        "memory://tag/{tag}",
        "memory://memory/{id}",
        "memory://document/{id}",
    ]
    assert [prompt["name"] for prompt in prompts] == ["recall", "review", "save_session"]


async def test_capabilities_speak_of_subscriptions(listing: RawClient) -> None:
    """A client learns at the handshake what it may ask for."""
    capabilities = (await listing.initialize())["result"]["capabilities"]
    assert capabilities["resources"]["subscribe"] is True
    assert {"tools", "resources", "prompts", "completions"} <= capabilities.keys()


@pytest.fixture
async def listing(start: Callable[..., RawClient]) -> RawClient:
    """Start a front."""
    return start()


async def test_prompts_are_made_of_memories(daemon: FakeDaemon, client: RawClient) -> None:
    """What is recalled and reviewed stands in the prompt's text, of the caller's namespace alone."""
    del daemon
    await client.tool("memory_store", content="The cat is called Miso", tags=["pets"])
    await client.tool("memory_store", content="The cat is secret", namespace="other")
    for name, arguments in (("recall", {"topic": "cat"}), ("review", {"period": "today", "tag": "pets"})):
        answer = await client.request("prompts/get", {"name": name, "arguments": arguments})
        [message] = answer["result"]["messages"]
        assert message["role"] == "user"
        assert "The cat is called Miso" in message["content"]["text"]
        assert "secret" not in message["content"]["text"]
    saved = await client.request("prompts/get", {"name": "save_session", "arguments": {"tag": "x"}})
    assert "memory_store_many" in saved["result"]["messages"][0]["content"]["text"]


WRONG_PROMPTS: list[tuple[str, Json, str]] = [
    ("nothing", {}, "recall, review, save_session"),
    ("recall", {}, "topic: is required"),
    ("recall", {"topic": " "}, "topic: is required"),
    ("recall", {"topic": "x", "more": "y"}, "more: is not an argument"),
    ("recall", {"topic": "x" * 10_001}, "topic: has 10001 characters"),
    ("review", {"period": "gibberish"}, "period: 'gibberish' is not a known time expression"),
]


async def test_a_wrong_prompt_is_refused_by_name(client: RawClient) -> None:
    """The argument and what it may be."""
    for name, arguments, named in WRONG_PROMPTS:
        error = (await client.request("prompts/get", {"name": name, "arguments": arguments}))["error"]
        assert error["code"] == -32602, named
        assert named in error["message"]


async def complete(client: RawClient, ref: Json, name: str, value: str) -> Json:
    """Return a completion."""
    params = {"ref": ref, "argument": {"name": name, "value": value}}
    completion: Json = (await client.request("completion/complete", params))["result"]["completion"]
    return completion


async def test_tags_are_completed(client: RawClient) -> None:
    """Of live memories of the caller's namespace, in order, at most a hundred."""
    items = [{"content": f"memory {n}", "tags": [f"tag{n:03}"]} for n in range(120)]
    await client.tool("memory_store_many", items=items)
    await client.tool("memory_store", content="other", tags=["tag-secret"], namespace="other")
    template = {"type": "ref/resource", "uri": "memory://tag/{tag}"}
    found = await complete(client, template, "tag", "tag")
    assert (found["values"], found["hasMore"]) == ([f"tag{n:03}" for n in range(100)], True)
    assert (await complete(client, template, "tag", "tag11"))["values"] == [f"tag11{n}" for n in range(10)]
    prompt = {"type": "ref/prompt", "name": "review"}
    assert (await complete(client, prompt, "tag", "TAG00"))["values"] == [f"tag00{n}" for n in range(10)]
    assert (await complete(client, prompt, "period", "last"))["values"] == []


async def test_a_subscriber_hears_once_of_what_touches_it(
    daemon: FakeDaemon, client: RawClient, start: Callable[..., RawClient]
) -> None:
    """Of a write by another process, within half a second; of nothing that leaves the resource as it is."""
    del daemon
    other = start()
    await other.initialize()
    kept = (await client.tool("memory_store", content="kept", tags=["y"], created_at="2020-01-01T00:00:00Z"))["id"]
    for uri in ("memory://recent/2", "memory://tag/x"):
        assert (await client.request("resources/subscribe", {"uri": uri}))["result"] == {}
    client.notifications.clear()
    await other.tool("memory_store", content="new", tags=["x"])
    assert sorted([await hear(client), await hear(client)]) == ["memory://recent/2", "memory://tag/x"]
    await other.tool("memory_store", content="newer")
    assert await hear(client) == "memory://recent/2"
    await other.tool("memory_update", id=kept, tags=["z"])  # no longer among the two newest, and not of x
    await other.tool("memory_store", content="elsewhere", namespace="other", tags=["x"])
    await other.tool("memory_search", query="new")
    await other.tool("memory_store", content="last", tags=["x"])
    assert sorted([await hear(client), await hear(client)]) == ["memory://recent/2", "memory://tag/x"]
    await client.request("resources/unsubscribe", {"uri": "memory://recent/2"})
    await other.tool("memory_store", content="after", tags=["x"])
    assert await hear(client) == "memory://tag/x"
    assert client.notifications == []


async def test_one_hears_of_ones_own_writes(client: RawClient) -> None:
    """The same rule for everybody; subscribing twice is hearing once."""
    memory_id = (await client.tool("memory_store", content="text"))["id"]
    for _ in range(2):
        await client.request("resources/subscribe", {"uri": f"memory://memory/{memory_id}"})
    await client.tool("memory_update", id=memory_id, type="fact")
    assert await hear(client) == f"memory://memory/{memory_id}"
    await client.tool("memory_delete", id=memory_id)
    assert await hear(client) == f"memory://memory/{memory_id}"
    assert client.notifications == []


async def test_a_vector_that_comes_later_is_no_news(client: RawClient, folder: Path) -> None:
    """What is embedded afterwards shows nothing new."""
    await client.tool("memory_store", content="waits")
    await client.request("resources/subscribe", {"uri": "memory://recent/10"})
    async with FakeDaemon(folder / "e.sock"):
        await client.until("memory_search", "pending", value=0, query="waits", mode="keyword")
        await client.tool("memory_store", content="next")
        assert await hear(client) == "memory://recent/10"
    assert client.notifications == []


async def test_too_many_subscriptions_are_refused(client: RawClient) -> None:
    """A hundred on one connection."""
    for number in range(100):
        await client.request("resources/subscribe", {"uri": f"memory://tag/{number}"})
    error = (await client.request("resources/subscribe", {"uri": "memory://tag/more"}))["error"]
    assert "at most 100" in error["message"]


@asynccontextmanager
async def modern(environment: dict[str, str]) -> AsyncIterator[Client]:
    """Connect as a client of 2026-07-28 does."""
    parameters = StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)
    async with Client(stdio_client(parameters)) as client:
        yield client


async def test_a_modern_client_listens(
    daemon: FakeDaemon, environment: dict[str, str], start: Callable[..., RawClient]
) -> None:
    """subscriptions/listen tells of another process's writes too."""
    del daemon
    other = start()
    await other.initialize()
    await other.tool("memory_store", content="first")
    async with modern(environment) as client, asyncio.timeout(60):
        assert client.protocol_version == "2026-07-28"
        async with client.listen(resource_subscriptions=["memory://recent/10"]) as events:
            await other.tool("memory_store", content="second")
            async for event in events:
                assert event == ResourceUpdated("memory://recent/10")
                break
