"""Sessions of the protocol with fronts that share a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import environment, folder, start  # noqa: F401 - fixtures
from tests.e2e.test_resources import hear
from tests.services.postgres import Postgres, emptied

pytestmark = pytest.mark.services
RECENT = "memory://recent/10"


@pytest.fixture
async def sessions(postgres: Postgres, start: Callable[..., RawClient]) -> list[RawClient]:  # noqa: F811 - a fixture
    """Start two fronts on one empty database, without an embedder."""
    await emptied(postgres, None).close()
    chosen = {"MCP_MEMORY_STORAGE_BACKEND": "postgres", "MCP_MEMORY_POSTGRES_URL": postgres.of_stores}
    clients = [start(**chosen) for _ in range(2)]
    await asyncio.gather(*(client.initialize() for client in clients))
    return clients


async def test_subscribers_hear_of_other_fronts_writes(sessions: list[RawClient]) -> None:
    """Each is told of what the other stores in its namespace, and finds it; not of another namespace's."""
    one, other = sessions
    await asyncio.gather(*(client.request("resources/subscribe", {"uri": RECENT}) for client in sessions))
    for writer, reader in ((one, other), (other, one)):
        await writer.tool("memory_store", content="not theirs", namespace="elsewhere")
        stored = await writer.tool("memory_store", content=f"the kettle of {writer is one}")
        assert await hear(reader, 30) == RECENT
        assert (await reader.tool("memory_get", id=stored["id"]))["content"] == f"the kettle of {writer is one}"
        assert reader.notifications == []
        assert await hear(writer, 30) == RECENT
    found = await one.tool("memory_search", query="kettle")
    assert len(found["results"]) == 2


async def test_what_the_server_cannot_store_is_refused_by_name(sessions: list[RawClient]) -> None:
    """A NUL costs one item of a batch, and one sentence."""
    one, _ = sessions
    with pytest.raises(ToolError, match="content: contains a NUL"):
        await one.tool("memory_store", content="a\0b")
    items = (await one.tool("memory_store_many", items=[{"content": "a\0b"}, {"content": "ab"}]))["items"]
    assert "content: contains a NUL" in items[0]["error"]
    assert items[1]["created"] is True


async def test_words_alone_find_and_recall(sessions: list[RawClient]) -> None:
    """Without vectors a search and a context read what words found by its keys, with what stands beside it."""
    one, other = sessions
    for content in ("we met at the harbour", "the kettle is broken", "buy another"):
        await one.tool("memory_store", content=content, conversation_id="talk")
    for mode in ("hybrid", "keyword"):
        found = (await other.tool("memory_search", query="kettle", mode=mode))["results"]
        assert "the kettle is broken" in [hit["content"] for hit in found]
    told = str(await other.tool("memory_context", query="kettle", max_tokens=2_000))
    assert "the kettle is broken" in told
    assert "harbour" in told
