"""The one way to the tools and to whatever else looks at memories: MCP, HTTP and the command line call it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from memory_mcp.application.request import Handler, Request, T, ToolCall
from memory_mcp.domain.errors import SettingsError
from memory_mcp.tools.base import ArgumentsT, Call, ResultT

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services  # all parts of the program, not before the handshake

GetServices = Callable[[], Awaitable["Services"]]
"""Makes the services when they are first asked for; raises SettingsError where the settings do not fit."""


class AnswerTool(Protocol):
    """Answers calls of tools."""

    async def __call__(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the tool's result.

        Raises:
            MemoryMcpError: what the tool raises; InvalidArgumentError where an argument is wrong.
        """
        ...


class Dispatcher:
    """Passes requests through the middleware to what answers them."""

    def __init__(self, handler: Handler, answer_tool: AnswerTool) -> None:
        self._handler = handler
        self._answer_tool = answer_tool

    async def dispatch(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the result of a tool.

        Raises:
            MemoryMcpError: by its code, what is wrong with the call or could not be done.
        """
        return await self._handler(call.request(lambda: self._answer_tool(call)))

    async def present(self, call: ToolCall[ArgumentsT, ResultT], view: Callable[[ResultT], T]) -> T:
        """Return a view of a tool's result; what fails in the view fails like the tool.

        Raises:
            MemoryMcpError: as `dispatch` does.
        """

        async def work() -> T:
            return view(await self._answer_tool(call))

        return await self._handler(call.request(work))

    async def run(self, request: Request[T]) -> T:
        """Answer a request that is no call of a tool.

        Raises:
            MemoryMcpError: what its work raises, or why it was not done.
        """
        return await self._handler(request)


class RunTool:
    """Runs tools with the services."""

    def __init__(self, services: GetServices) -> None:
        self._services = services

    async def __call__(self, call: ToolCall[ArgumentsT, ResultT]) -> ResultT:
        """Return the tool's result."""
        tool, arguments = call.tool, call.parsed
        try:
            services = await self._services()
        except SettingsError as error:
            if tool.without_services is None:
                raise
            return tool.without_services(error)
        context = Call(services, call.principal, call.progress, call.is_bounded)
        # A task of its own: gRPC answers a cancellation with a CancelledError of its own making, which a caller's
        # cancel scope would not know as its own, and which would end a whole session.
        task: asyncio.Task[ResultT] = asyncio.create_task(tool.run(context, arguments))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()


async def do(request: Request[T]) -> T:
    """Do the work of a request: what all middleware stands around."""
    return await request.work()
