"""Fronts over HTTP that share a store and a server: a client may ask whichever it likes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memory_mcp.domain.principal import Scope
from tests.e2e.client import Json, ToolError
from tests.e2e.conftest import daemon, environment, folder, serve
from tests.e2e.web import WebClient, WebFront
from tests.fakes.daemon import FakeDaemon
from tests.services.valkey import Valkey

pytestmark = pytest.mark.services
__all__ = ["daemon", "environment", "folder", "serve"]


def shared(client: WebClient) -> Json:
    """Return what health says of the shared tier."""
    found: Json = client.tool("memory_health")["shared"]
    return found


async def test_two_fronts_are_one_to_a_client(
    daemon: FakeDaemon, serve: Callable[..., WebFront], valkey: Valkey, folder: Path
) -> None:
    """A question that one answered, the other need not ask; a minute has as many calls as one front would allow.

    Without the server both go on, each for itself, and say so. A front of another store gets nothing of theirs.
    """
    more = {"MCP_MEMORY_REDIS_URL": valkey.url, "MCP_MEMORY_RATE_LIMIT_WRITE": "3"}
    fronts = [serve(**more), serve(**more), serve(**more, MCP_MEMORY_SQLITE_PATH=str(folder / "other.db"))]
    token = fronts[0].token("me", scopes=(Scope.ADMIN,))
    one, two, other = (WebClient(front.url, token) for front in fronts)
    with one, two, other:
        assert [shared(client)["state"] for client in (one, two, other)] == ["shared"] * 3
        one.tool("memory_store", content="Ada buys red wine")
        made = one.tool("memory_search", query="wine")
        asked = len(daemon.requests)
        assert two.tool("memory_search", query="wine") == made
        assert len(daemon.requests) == asked
        assert other.tool("memory_search", query="wine")["results"] == []

        two.tool("memory_store", content="Ada buys white wine")
        assert len(one.tool("memory_search", query="wine")["results"]) == 2
        one.tool("memory_store", content="Ada buys tea")
        for client in (one, two):
            with pytest.raises(ToolError, match="the limit is 3 write requests a minute; try again in"):
                client.tool("memory_store", content="one too many")

        valkey.kill()
        assert two.tool("memory_store", content="Ada buys coffee")["created"]
        assert len(one.tool("memory_search", query="tea coffee wine")["results"]) == 4
        found = shared(one)
        assert found["state"] == "local"
        assert found["fix"] == "start it, or correct MCP_MEMORY_REDIS_URL"
