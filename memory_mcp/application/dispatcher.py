"""The only way to the tools and everything else that reads memories, for MCP, HTTP and the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from memory_mcp.application.request import Handler, Request, T, ToolCall
from memory_mcp.domain.errors import SettingsError
from memory_mcp.tools.base import ArgumentsT, Call, ResultT

if TYPE_CHECKING:
    from memory_mcp.application.latencies import Latencies
    from memory_mcp.tools.services import Services  # imports the whole program, so not before the handshake

GetServices = Callable[[], Awaitable["Services"]]
"""Returns the services, built on first use; raises SettingsError if the settings are invalid."""


class AnswerTool(Protocol):
    """Answers calls of tools."""

    async def __call__(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the tool's result.

        Raises:
            MemoryMcpError: what the tool raises; InvalidArgumentError for an invalid argument.
        """
        ...


class Dispatcher:
    """Passes requests through the middleware to their handler."""

    def __init__(self, handler: Handler, answer_tool: AnswerTool, latencies: Latencies | None = None) -> None:
        self._handler = handler
        self._answer_tool = answer_tool
        self.latencies = latencies
        """Of the calls that came this way, where that is wanted."""

    async def dispatch(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the result of a tool.

        Raises:
            MemoryMcpError: the code says what is wrong with the call or what failed.
        """
        return await self.present(call, lambda result: result)

    async def present(self, call: ToolCall[ArgumentsT, ResultT], view: Callable[[ResultT], T]) -> T:
        """Return a view of a tool's result; an error in the view is handled like one in the tool.

        Raises:
            MemoryMcpError: as `dispatch` does.
        """

        async def work() -> T:
            result = await self._answer_tool(call)
            request.concerns.extend(result.concerns)
            return view(result)

        request = call.request(work)
        return await self._handler(request)

    async def run(self, request: Request[T]) -> T:
        """Answer a request that is not a tool call.

        Raises:
            MemoryMcpError: what its work raises, or what the middleware refused.
        """
        return await self._handler(request)


class RunTool:
    """Runs tools with the services."""

    def __init__(self, services: GetServices) -> None:
        self._services = services

    async def __call__(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        tool, arguments = call.tool, call.parsed
        try:
            services = await self._services()
        except SettingsError as error:
            if tool.without_services is None:
                raise
            return tool.without_services(error)
        context = Call(services, call.principal, call.progress, call.is_bounded, call.ask_roots)
        # A separate task: gRPC turns a cancellation into a CancelledError of its own, which the caller's cancel
        # scope would not recognise, and which would end the whole session.
        task: asyncio.Task[ResultT] = asyncio.create_task(tool.run(context, arguments))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()


async def do(request: Request[T]) -> T:
    """Run the work of a request: the innermost handler."""
    return await request.work()
