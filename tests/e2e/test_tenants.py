"""A caller who is bound to a namespace meets no other: by no tool, resource, prompt, cursor or notification."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.e2e.client import Json, ToolError
from tests.e2e.web import WebClient, WebFront

Serve = Callable[..., WebFront]
UPDATED = "notifications/resources/updated"


@pytest.fixture
def front(serve: Serve) -> WebFront:
    """Serve HTTP."""
    return serve()


@pytest.fixture
def mine(front: WebFront) -> Iterator[WebClient]:
    """Return a caller who is bound to a namespace."""
    with front.client("me", "mine") as client:
        yield client


@pytest.fixture
def theirs(front: WebFront) -> Iterator[WebClient]:
    """Return a caller of another namespace, with a secret in it."""
    with front.client("they", "theirs") as client:
        client.tool(
            "memory_store",
            content="secret wine",
            id="theirs-1",
            tags=["secret-tag"],
            conversation_id="talk",
            metadata={"key": "secret"},
        )
        yield client


FOREIGN: list[tuple[str, Json]] = [
    ("memory_store", {"content": "text"}),
    ("memory_search", {"query": "wine"}),
    ("memory_list", {}),
    ("memory_delete", {"tags": ["secret-tag"]}),
    ("memory_delete", {"id": "theirs-1"}),
    ("memory_delete", {"tags": ["secret-tag"], "dry_run": True}),
]


def test_another_namespace_cannot_be_named(mine: WebClient, theirs: WebClient) -> None:
    """Whether it exists or not, the answer is the same; one's own may be named."""
    for tool, arguments in FOREIGN:
        for namespace in ("theirs", "nobodys"):
            with pytest.raises(ToolError, match="can only reach 'mine'"):
                mine.tool(tool, **arguments, namespace=namespace)
        assert theirs.tool("memory_list")["total"] == 1, (tool, arguments)
        if arguments.get("id") is None:
            mine.tool(tool, **arguments, namespace="mine")


def test_items_of_another_namespace_are_refused_one_by_one(mine: WebClient, theirs: WebClient) -> None:
    """The others are stored."""
    result = mine.tool("memory_store_many", items=[{"content": "a", "namespace": "theirs"}, {"content": "b"}])
    assert "can only reach 'mine'" in result["items"][0]["error"]
    assert result["items"][1]["created"] is True
    assert theirs.tool("memory_list")["total"] == 1


OF_ONE: list[tuple[str, Json]] = [
    ("memory_get", {}),
    ("memory_get", {"history": True}),
    ("memory_update", {"content": "changed"}),
    ("memory_delete", {}),
    ("memory_delete", {"dry_run": True}),
]


def test_an_id_of_another_namespace_is_unknown(mine: WebClient, theirs: WebClient) -> None:
    """It is answered as an id that nobody has; the memory stays as it is."""
    for tool, arguments in OF_ONE:
        said = []
        for memory_id in ("theirs-1", "nobodys1"):
            with pytest.raises(ToolError) as caught:
                mine.tool(tool, id=memory_id, **arguments)
            said.append(str(caught.value).replace(memory_id, "?"))
        assert said[0] == said[1], (tool, arguments)
        assert theirs.tool("memory_get", id="theirs-1")["revision"] == 1


def test_an_id_that_another_namespace_uses_is_free(mine: WebClient, theirs: WebClient) -> None:
    """Neither a conflict nor a duplicate betrays what another has."""
    assert mine.tool("memory_store", content="other", id="theirs-1")["created"] is True
    assert mine.tool("memory_store", content="secret wine", conversation_id="talk")["created"] is True
    assert mine.tool("memory_get", id="theirs-1")["content"] == "other"
    assert theirs.tool("memory_get", id="theirs-1")["content"] == "secret wine"


FILTERS: list[Json] = [{}, {"tags": ["secret-tag"]}, {"conversation_id": "talk"}, {"metadata": {"key": "secret"}}]


def test_a_search_finds_and_counts_ones_own_alone(mine: WebClient, theirs: WebClient) -> None:
    """Whatever it filters by."""
    del theirs
    for mode, filters in product(("auto", "semantic", "keyword", "hybrid"), FILTERS):
        found = mine.tool("memory_search", query="secret wine", mode=mode, **filters)
        assert (found["results"], found["pending"], found["near_misses"]) == ([], 0, None), (mode, filters)


def test_nothing_is_counted_of_others(mine: WebClient, theirs: WebClient) -> None:
    """Totals, statistics and the queue of memory_health, with the daemon out, speak of one's own."""
    assert theirs.tool("memory_health")["queue"]["state"] == "pending"
    assert mine.tool("memory_health")["queue"]["state"] == "empty"
    assert mine.tool("memory_list") == {"memories": [], "next_cursor": None, "total": 0, "shortened": 0}
    assert mine.read("memory://stats")["memories"] == 0


def test_a_cursor_leads_nowhere_else(mine: WebClient, theirs: WebClient) -> None:
    """One that another caller was given pages through one's own."""
    for number in range(4):
        mine.tool("memory_store", content=f"mine {number}", created_at=f"2020-01-0{number + 1}")
        theirs.tool("memory_store", content=f"theirs {number}", created_at=f"2020-01-0{number + 1}")
    cursor = theirs.tool("memory_list", limit=2)["next_cursor"]
    page = mine.tool("memory_list", cursor=cursor)
    assert {memory["content"][:4] for memory in page["memories"]} == {"mine"}
    assert page["total"] == 4


def test_resources_show_ones_own(mine: WebClient, theirs: WebClient) -> None:
    """Counts, the newest, tags and ids."""
    del theirs
    assert mine.read("memory://stats")["tags"] == {}
    assert mine.read("memory://recent/100") == {"memories": [], "total": 0}
    assert mine.read("memory://tag/secret-tag")["memories"] == []
    answer = mine.request("resources/read", {"uri": "memory://memory/theirs-1"})
    assert "no memory 'theirs-1'" in answer["error"]["message"]


def test_prompts_are_made_of_ones_own(mine: WebClient, theirs: WebClient) -> None:
    """With and without arguments that fit another's."""
    del theirs
    for name, arguments in (
        ("recall", {"topic": "secret wine"}),
        ("review", {"period": "today"}),
        ("review", {"period": "today", "tag": "secret-tag"}),
    ):
        answer = mine.request("prompts/get", {"name": name, "arguments": arguments})
        assert "(nothing)" in json.dumps(answer["result"])


def test_completions_offer_ones_own(front: WebFront, mine: WebClient, theirs: WebClient) -> None:
    """Tags and namespaces; who is not bound is offered all namespaces."""
    del theirs
    mine.tool("memory_store", content="text", tags=["mine-tag"])
    assert mine.complete("tag", "") == ["mine-tag"]
    assert (mine.complete("namespace", ""), mine.complete("namespace", "t")) == (["mine"], [])
    with front.client("all") as everyone:
        assert everyone.complete("namespace", "") == ["mine", "theirs"]


def test_chatgpts_tools_find_ones_own(serve: Serve) -> None:
    """`search` and `fetch` keep to the same rule."""
    front = serve(MCP_MEMORY_CHATGPT_TOOLS_ENABLED="true")
    with front.client("me", "mine") as mine, front.client("they", "theirs") as theirs:
        theirs.tool("memory_store", content="secret wine", id="theirs-1")
        assert mine.tool("search", query="secret wine")["results"] == []
        with pytest.raises(ToolError, match="no memory 'theirs-1'"):
            mine.tool("fetch", id="theirs-1")
        assert theirs.tool("fetch", id="theirs-1")["text"] == "secret wine"


def test_who_is_not_bound_reaches_all(front: WebFront, theirs: WebClient) -> None:
    """By name and by id."""
    with front.client("all") as everyone:
        assert everyone.tool("memory_get", id="theirs-1")["content"] == "secret wine"
        assert everyone.tool("memory_list", namespace="theirs")["total"] == 1
        assert everyone.tool("memory_list")["total"] == 0
        assert everyone.tool("memory_delete", id="theirs-1")["ids"] == ["theirs-1"]
    assert theirs.tool("memory_list")["total"] == 0


@asynccontextmanager
async def hearing(front: WebFront, client: WebClient) -> AsyncIterator[Callable[[], Any]]:
    """Open the stream of a session, and return how to wait for its next notification."""
    async with (
        httpx2.AsyncClient(headers=dict(client.http.headers), timeout=None) as http,
        http.stream("GET", front.url) as stream,
    ):
        lines = stream.aiter_lines()

        async def hear() -> Json:
            async with asyncio.timeout(60):
                async for line in lines:
                    if line.startswith("data: {"):
                        message: Json = json.loads(line[6:])
                        return message
            raise EOFError

        yield hear


async def test_a_subscriber_hears_of_ones_own(front: WebFront, mine: WebClient, theirs: WebClient) -> None:
    """Another's write to the same tag and the same id is no news; one's own is."""
    uris = ["memory://tag/x", "memory://memory/theirs-1", "memory://recent/10", "memory://stats"]
    for uri in uris:
        assert mine.request("resources/subscribe", {"uri": uri})["result"] == {}
    async with hearing(front, mine) as hear:
        theirs.tool("memory_update", id="theirs-1", tags=["x"])
        theirs.tool("memory_store", content="more", tags=["x"])
        mine.tool("memory_store", content="own", tags=["y"])
        heard = [(await hear())["params"]["uri"] for _ in range(2)]
        assert sorted(heard) == ["memory://recent/10", "memory://stats"]


async def test_a_modern_listener_hears_of_ones_own(front: WebFront, mine: WebClient, theirs: WebClient) -> None:
    """subscriptions/listen keeps to the same rule."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": mine.http.headers["Authorization"]}) as http,
        Client(streamable_http_client(front.url, http_client=http)) as client,
        asyncio.timeout(60),
    ):
        assert client.protocol_version == "2026-07-28"
        with pytest.raises(MCPError, match="no memory"):
            await client.read_resource("memory://memory/theirs-1")
        async with client.listen(resource_subscriptions=["memory://tag/x", "memory://recent/10"]) as events:
            theirs.tool("memory_store", content="more", tags=["x"])
            mine.tool("memory_store", content="own")
            async for event in events:
                assert "recent" in str(event)
                break


async def test_a_revoked_token_hears_nothing_more(front: WebFront, mine: WebClient) -> None:
    """A stream that is open goes silent: what comes next is for a listener whose token holds."""
    with front.client("other", "mine") as other:
        for client in (mine, other):
            client.request("resources/subscribe", {"uri": "memory://recent/10"})
        async with hearing(front, mine) as revoked, hearing(front, other) as hear:
            other.tool("memory_store", content="one")
            assert (await revoked())["method"] == (await hear())["method"] == UPDATED
            front.tokens.revoke("me")
            other.tool("memory_store", content="two")
            assert (await hear())["method"] == UPDATED
            other.tool("memory_store", content="three")
            assert (await hear())["method"] == UPDATED
            ended = asyncio.create_task(asyncio.to_thread(front.end))
            with pytest.raises((EOFError, httpx2.HTTPError)):
                await revoked()
            assert await ended == 0
