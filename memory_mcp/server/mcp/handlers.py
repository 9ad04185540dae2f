"""Handlers for MCP's requests about tools."""

from __future__ import annotations

from functools import cached_property, partial

import mcp_types as types
from embedder_api import __version__
from mcp.server.lowlevel import NotificationOptions, Server

from memory_mcp.application.dispatcher import Dispatcher
from memory_mcp.application.request import Request, ToolCall
from memory_mcp.domain.errors import MemoryMcpError, UnknownToolError
from memory_mcp.domain.principal import Principal
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp import errors
from memory_mcp.server.mcp.adapter import Adapter, Context, Identify
from memory_mcp.server.mcp.listed import arguments_in, listed
from memory_mcp.server.mcp.reading import ReadingHandlers
from memory_mcp.server.mcp.roots import client_roots
from memory_mcp.server.mcp.subscriptions import Subscriptions
from memory_mcp.settings import Settings
from memory_mcp.tools.base import AnyTool, Result, no_roots

SEARCHING = "Long-term memory. Search it (memory_search) before you answer anything that may depend on earlier sessions"
STORING = (
    "store (memory_store) facts, preferences, decisions and events that will matter later, in full sentences. When "
    "something changes, find the stored memory (memory_search) and correct it (memory_update) instead of storing both. "
    "A new session is told (memory_context) what is tagged `pinned`, memories of type `task` until their "
    "metadata.status is `done`, those of type `decision` and `fact`, and the last session"
)


class ToolHandlers:
    """Lists the tools and calls them."""

    def __init__(
        self,
        settings: Settings,
        services: LazyServices,
        dispatcher: Dispatcher,
        identify: Identify,
        *,
        is_local: bool,
    ) -> None:
        self._settings = settings
        self._is_local = is_local
        self._services = services
        self._dispatcher = dispatcher
        self._identify = identify

    @cached_property
    def _tools(self) -> dict[str, AnyTool]:
        from memory_mcp.tools import offered  # noqa: PLC0415 - not before the list is sent

        return {tool.name: tool for tool in offered(self._settings)}

    @cached_property
    def listed(self) -> types.ListToolsResult:
        """The answer to `tools/list`, the same for every client and call."""
        return listed(self._settings)

    async def list_tools(
        self, principal: Principal, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Answer `tools/list`."""
        del principal, ctx, params
        self._services.warm()
        return self.listed

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Answer `tools/call`; errors become results that the model can read, except for an unknown tool."""
        try:
            return await self._called(ctx, params)
        except UnknownToolError as error:
            raise errors.to_protocol(error) from error
        except MemoryMcpError as error:
            return errors.to_result(error)

    async def _called(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        principal, tool = await self._identify(ctx), self._tools.get(params.name)
        if tool is None:
            return await self._dispatcher.run(
                Request(principal, ctx.method, partial(_refuse, params.name, self._settings))
            )

        async def progress(done: int, total: int) -> None:
            await ctx.session.report_progress(done, total)

        ask_roots = partial(client_roots, ctx.session) if self._is_local else no_roots
        call = ToolCall(principal, tool, params.arguments or {}, progress, ask_roots=ask_roots)
        return await self._dispatcher.present(call, _to_result)


def _to_result(result: Result) -> types.CallToolResult:
    text, structured = result.rendered
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=structured)


async def _refuse(name: str, settings: Settings) -> types.CallToolResult:
    from memory_mcp.tools import TOOLS, why_left_out  # noqa: PLC0415 - not before the list is sent

    if tool := next((tool for tool in TOOLS if tool.name == name), None):
        raise UnknownToolError(f"{name} {why_left_out(tool, settings)}; use one of the tools in tools/list")
    raise UnknownToolError(f"unknown tool {name[:64]!r}; use one of the tools in tools/list")


class _McpServer(Server[dict[str, object]]):
    """The SDK's server, corrected: because it serves `subscriptions/listen`, it would announce changing lists."""

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, object]] | None = None,
        extensions: dict[str, dict[str, object]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        capabilities = super().get_capabilities(
            notification_options, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        for each in (capabilities.tools, capabilities.resources, capabilities.prompts):
            if each is not None:
                each.list_changed = False
        return capabilities


def make_server(
    settings: Settings, services: LazyServices, dispatcher: Dispatcher, identify: Identify, *, is_local: bool
) -> Server[dict[str, object]]:
    """Return the SDK's server with our tools, resources and prompts behind the dispatcher.

    Args:
        settings: decide what is offered.
        services: answer the calls.
        dispatcher: passes them on.
        identify: names who calls.
        is_local: whether the client runs on this machine for this user, so that its roots are folders here.
    """
    around = Adapter(dispatcher, identify).around
    handlers = ToolHandlers(settings, services, dispatcher, identify, is_local=is_local)
    reading = ReadingHandlers(services.get, read_only=settings.read_only)
    subscriptions = Subscriptions(services.get)
    return _McpServer(
        "memory-mcp",
        version=__version__,
        instructions=f"{SEARCHING}." if settings.read_only else f"{SEARCHING}; {STORING}.",
        on_list_tools=around(handlers.list_tools),
        on_call_tool=handlers.call_tool,
        on_list_resources=around(reading.list_resources),
        on_list_resource_templates=around(reading.list_templates),
        on_read_resource=around(reading.read_resource),
        on_subscribe_resource=around(subscriptions.subscribe),
        on_unsubscribe_resource=around(subscriptions.unsubscribe),
        on_subscriptions_listen=around(subscriptions.listen),
        on_list_prompts=around(reading.list_prompts),
        on_get_prompt=around(reading.get_prompt),
        on_completion=around(reading.complete),
        # Each tool call over HTTP (2026-07-28) looks this up, and would otherwise go through all of tools/list.
        get_tool_input_schema=lambda name: arguments_in(handlers.listed, name),
    )
