"""The protocol's requests about tools, answered by ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import mcp_types as types
from embedder_api import __version__
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError

from memory_mcp.domain.errors import SettingsError
from memory_mcp.server.mcp.chain import make_chain
from memory_mcp.server.mcp.chain.asked import Asked, Context
from memory_mcp.server.mcp.chain.caller import Identify, caller
from memory_mcp.server.mcp.reading import ReadingHandlers
from memory_mcp.server.mcp.schemas import advertised, input_schemas
from memory_mcp.server.mcp.session import LazyServices
from memory_mcp.server.mcp.subscriptions import Subscriptions
from memory_mcp.settings import Settings
from memory_mcp.tools import TOOLS, offered
from memory_mcp.tools.base import AnyTool, Call, Result
from memory_mcp.tools.health import HEALTH, without_settings

if TYPE_CHECKING:
    from memory_mcp.metrics import Metrics

SEARCHING = "Long-term memory. Search it (memory_search) before you answer what may depend on earlier sessions"
STORING = (
    "store (memory_store) facts, preferences, decisions and events that will matter later, in full sentences. When "
    "something has changed, find what is stored (memory_search) and correct it (memory_update) rather than storing both"
)


class ToolHandlers:
    """Lists the tools and calls them."""

    def __init__(self, tools: tuple[AnyTool, ...], services: LazyServices) -> None:
        self._services = services
        self._offered = tools

    async def list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Answer `tools/list`, from memory."""
        del ctx, params
        self._services.warm()
        return advertised(self._offered)

    async def call_tool(self, asked: Asked) -> types.CallToolResult:
        """Answer `tools/call`."""
        if asked.tool is None:
            raise MCPError(types.INVALID_PARAMS, _unknown(asked.name))
        result = await self._run(asked.tool, asked)
        return types.CallToolResult(
            content=[types.TextContent(text=result.text())],
            structured_content=result.structured(),
        )

    async def _run(self, tool: AnyTool, asked: Asked) -> Result:
        async def progress(done: int, total: int) -> None:
            await asked.ctx.session.report_progress(done, total)

        arguments = asked.parsed
        try:
            call = Call(await self._services.get(), caller(), progress)
        except SettingsError as error:
            if tool is HEALTH:
                return without_settings(error)
            raise
        # A task of its own: gRPC answers a cancellation with a CancelledError of its own making, which the SDK's
        # cancel scope would not know as its own, and which would end the whole session.
        task: asyncio.Task[Result] = asyncio.create_task(tool.run(call, arguments))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()


def _unknown(name: str) -> str:
    if any(tool.name == name for tool in TOOLS):
        return f"{name} writes, and this server is read-only (MCP_MEMORY_READ_ONLY); tools/list names what it does"
    return f"there is no tool {name[:64]!r}; tools/list names them"


class _Server(Server[dict[str, object]]):
    """The SDK's, which would tell clients of 2026-07-28 that lists change, for it serves `subscriptions/listen`."""

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, object]] | None = None,
        extensions: dict[str, dict[str, object]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        """Return what the server can do."""
        found = super().get_capabilities(
            notification_options, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        for each in (found.tools, found.resources, found.prompts):
            if each is not None:
                each.list_changed = False
        return found


def make_server(
    settings: Settings,
    services: LazyServices,
    identify: Identify,
    *,
    rate_limited: bool,
    metrics: Metrics | None = None,
) -> Server[dict[str, object]]:
    """Return the SDK's server with our tools, resources and prompts behind the chain."""
    tools = offered(settings)
    chain = make_chain(settings, services, tools, identify, rate_limited=rate_limited, metrics=metrics)
    around = chain.around
    handlers = ToolHandlers(tools, services)
    reading = ReadingHandlers(services, read_only=settings.read_only)
    subscriptions = Subscriptions(services)
    return _Server(
        "memory-mcp",
        version=__version__,
        instructions=f"{SEARCHING}." if settings.read_only else f"{SEARCHING}; {STORING}.",
        on_list_tools=around(handlers.list_tools),
        on_call_tool=chain.around_calls(handlers.call_tool),
        on_list_resources=around(reading.list_resources),
        on_list_resource_templates=around(reading.list_templates),
        on_read_resource=around(reading.read_resource),
        on_subscribe_resource=around(subscriptions.subscribe),
        on_unsubscribe_resource=around(subscriptions.unsubscribe),
        on_subscriptions_listen=around(subscriptions.listen),
        on_list_prompts=around(reading.list_prompts),
        on_get_prompt=around(reading.get_prompt),
        on_completion=around(reading.complete),
        # Each call of a tool over HTTP (2026-07-28) asks for it, and would go through all of tools/list.
        get_tool_input_schema=lambda name: input_schemas(tools).get(name),
    )
