"""The private names of the MCP SDK that we use: each test fails when an upgrade has dropped one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import mcp_types as types
import pytest
from mcp import Client
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server

import memory_mcp
from memory_mcp.server.mcp import private
from memory_mcp.server.mcp.adapter import Context

ROOT = Path(memory_mcp.__file__).parent
PRIVATE = ROOT / "server" / "mcp" / "private.py"


def private_names(tree: ast.AST) -> set[str]:
    """Return the private names that a module takes from others: by import, or of an object that is not its own."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcp"):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            found.update(part for part in parts if part.startswith("_"))
        own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        if isinstance(node, ast.Attribute) and not own and node.attr.startswith("_") and not node.attr.endswith("__"):
            found.add(node.attr)
    return found


def test_private_names_stand_in_one_module() -> None:
    """Nothing else of the servers takes one, and this module no other than those tested here."""
    taken = {
        path.relative_to(ROOT).as_posix(): names
        for path in (ROOT / "server").rglob("*.py")
        if (names := private_names(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert taken == {PRIVATE.relative_to(ROOT).as_posix(): {"_context_streams", "_connection"}}


async def test_a_session_has_its_connection() -> None:
    """`ServerSession._connection`: the same for all requests of a client, with a place for what we keep there."""
    met: list[Connection] = []

    async def answer(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        del params
        met.append(private.connection_of(ctx.session))
        return types.ListPromptsResult(prompts=[])

    async with Client(Server("test", on_list_prompts=answer), mode="legacy") as client:
        await client.list_prompts()
        await client.list_prompts()
    assert len(met) == 2
    assert met[0] is met[1]
    assert isinstance(met[0], Connection)
    assert isinstance(met[0].state, dict)
    assert hasattr(met[0].exit_stack, "push_async_callback")


async def test_context_streams_carry_what_is_sent() -> None:
    """`mcp.shared._context_streams`: one end receives what the other sends, and can be cloned."""
    send, receive = private.create_context_streams[str](1)
    assert isinstance(send, private.ContextSendStream)
    assert isinstance(receive, private.ContextReceiveStream)
    async with send.clone() as other, receive:
        await other.send("line")
        assert await receive.receive() == "line"
    await send.aclose()


@pytest.mark.parametrize(("package", "name"), [("mcp", "Client"), ("mcp.server", "MCPServer")])
def test_the_sdks_packages_wait_until_they_are_asked(package: str, name: str) -> None:
    """`mcp` and `mcp.server`: our server needs none of their own names, and who asks for one gets it."""
    code = f"""
import sys, memory_mcp.server.mcp.run
package = sys.modules[{package!r}]
assert {name!r} not in vars(package)
assert package.{name} is vars(package)[{name!r}]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_models_are_built_when_they_are_used() -> None:
    """A model defined in the context waits for its first use and then works; one defined afterwards does not wait."""
    code = """
from pydantic import BaseModel
from memory_mcp.server.lean import building_later
with building_later():
    class Later(BaseModel):
        number: int
class AtOnce(BaseModel):
    number: int
assert not Later.__pydantic_complete__
assert AtOnce.__pydantic_complete__
assert Later.model_validate({"number": "1"}).number == 1
assert Later.__pydantic_complete__
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
