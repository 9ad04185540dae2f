"""The response cache, seen from outside: a question that was answered is not put to the daemon again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from grpc import StatusCode

from tests.e2e.client import RawClient, ToolError
from tests.e2e.web import WebFront
from tests.fakes.daemon import FakeDaemon

COUNTING_FRONT = """
import sys
from memory_mcp.tools.base import Arguments
file, sys.argv = sys.argv[1], ["memory-mcp", "serve"]
parse = Arguments.model_validate.__func__
def counted(model, given):
    with open(file, "a") as out:
        print(model.__name__, file=out)
    return parse(model, given)
Arguments.model_validate = classmethod(counted)
from memory_mcp.__main__ import main
main()
"""


async def asked(daemon: FakeDaemon, client: RawClient, **arguments: object) -> int:
    """Search twice, and return how often the daemon was asked."""
    before = len(daemon.requests)
    first = await client.tool("memory_search", **arguments)
    assert await client.tool("memory_search", **arguments) == first
    return len(daemon.requests) - before


async def test_a_question_is_answered_once_until_something_is_written(
    daemon: FakeDaemon, client: RawClient, start: Callable[..., RawClient]
) -> None:
    """By this process or another; other spellings of the same arguments are the same question."""
    other = start()
    await other.initialize()
    await client.tool("memory_store", content="one wine")
    assert await asked(daemon, client, query="wine") == 1
    assert await asked(daemon, client, q="wine", k=10, tags=[]) == 0
    assert await asked(daemon, client, query="wine", limit=5) == 1
    await other.tool("memory_store", content="two wines")
    assert await asked(daemon, client, query="wine") == 1
    assert len((await client.tool("memory_search", query="wine"))["results"]) == 2


async def test_what_depends_on_the_time_is_asked_anew(daemon: FakeDaemon, client: RawClient) -> None:
    """A time that moves on makes another question of the same words."""
    await client.tool("memory_store", content="one wine")
    assert await asked(daemon, client, query="wine", time_expr="today") == 2


async def test_what_was_not_whole_is_asked_anew(daemon: FakeDaemon, client: RawClient) -> None:
    """A degraded answer is no answer to keep."""
    await client.tool("memory_store", content="one wine")
    await daemon.change(status=StatusCode.INTERNAL)
    assert (await client.tool("memory_search", query="wine"))["degraded"]
    await daemon.change(status=None)
    await client.until("memory_search", "degraded", value=False, query="wine")


async def test_the_cache_can_be_off(daemon: FakeDaemon, start: Callable[..., RawClient]) -> None:
    """MCP_MEMORY_RESPONSE_CACHE_ENABLED=false asks every time."""
    client = start(MCP_MEMORY_RESPONSE_CACHE_ENABLED="false")
    await client.initialize()
    await client.tool("memory_store", content="one wine")
    assert await asked(daemon, client, query="wine") == 2


def test_callers_do_not_share_answers(serve: Callable[..., WebFront]) -> None:
    """The same question of two callers has two answers."""
    front = serve()
    with front.client("one", "a") as one, front.client("two", "b") as two:
        one.tool("memory_store", content="secret wine")
        for _ in range(2):
            assert len(one.tool("memory_search", query="wine", mode="keyword")["results"]) == 1
            assert two.tool("memory_search", query="wine", mode="keyword")["results"] == []


async def test_arguments_are_parsed_once(folder: Path, environment: dict[str, str]) -> None:
    """The cache and the tool share what one of them has parsed, wrong arguments too."""
    client = RawClient([sys.executable, "-c", COUNTING_FRONT, str(folder / "parsed")], environment)
    await client.initialize()
    await client.tool("memory_store", content="one wine")
    for _ in range(2):
        await client.tool("memory_search", query="wine", mode="keyword")
    with pytest.raises(ToolError, match="limit"):
        await client.tool("memory_search", query="wine", limit=0)
    await client.tool("memory_store_many", items=[{"content": "two"}, {"content": "three"}])
    await client.end()
    parsed = (folder / "parsed").read_text().split()
    assert parsed == ["StoreArguments", *["SearchArguments"] * 3, "StoreManyArguments", *["StoreArguments"] * 2]
