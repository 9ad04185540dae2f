"""Another MCP server, made with the SDK; as a program it serves stdio, and does what its first argument says."""

from __future__ import annotations

import os
import sys
import time

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

NOTES = [f"the boat number {number}" for number in range(5)]
Context = ServerRequestContext[dict[str, object]]


def make_server() -> Server[dict[str, object]]:
    """Return a server with a tool `find` and some resources."""
    return Server(
        "other",
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_list_resources=_list_resources,
        on_read_resource=_read_resource,
    )


async def _list_tools(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="find", input_schema={"type": "object"})])


async def _call_tool(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    given = params.arguments or {}
    query, limit = str(given.get("query")), int(given.get("limit", 10))
    if query == "environment":
        return _texts(*sorted(f"{name}={value}" for name, value in os.environ.items() if name != "LC_CTYPE"))
    if query == "process":
        return _texts(str(os.getpid()))
    if query == "stall":
        time.sleep(600)  # noqa: ASYNC251 - nothing else is answered either
    if query == "fail":
        return types.CallToolResult(content=[types.TextContent(text="no")], is_error=True)
    if query == "structured":
        found = {"hits": [{"body": note, "link": f"https://other.test/{note[-1]}"} for note in NOTES]}
        return types.CallToolResult(content=[], structured_content=found)
    return _texts(*NOTES[:limit])


def _texts(*texts: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text) for text in texts])


async def _list_resources(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    named = {"notes://boat": "Boats", "notes://tea": "Tea", "other://x": "Else"}
    return types.ListResourcesResult(resources=[types.Resource(uri=uri, name=name) for uri, name in named.items()])


async def _read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    texts = {"notes://boat": "The boat lies in the harbour.", "notes://tea": "Assam in the morning."}
    text = texts.get(str(params.uri), "else")
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=params.uri, text=text)])


def main(how: str) -> None:
    """Serve, or misbehave."""
    if how == "hang":
        time.sleep(600)
    if how == "flood":
        while True:
            sys.stdout.write("x" * (1 << 20))
    if how == "garbage":
        sys.stdout.buffer.write(b"caf\xe9 <html>\n")
        sys.stdout.flush()
        sys.stdin.read()
    if how == "serve":
        anyio.run(_serve)


async def _serve() -> None:
    server = make_server()
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    main(sys.argv[1])
