"""A request, whatever brought it: MCP, a page over HTTP, or the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.tools.base import AnyTool, ArgumentsT, ResultT, Tool, parse

T = TypeVar("T")
RequestKind = Literal["read", "write", "bulk"]
"""What a request costs: one look at the store, one write, or the work of many."""
ReportProgress = Callable[[int, int], Awaitable[None]]
"""Hears how many of how many are done."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """What somebody asks for, in the terms of the middleware."""

    principal: Principal
    name: str
    """What the log calls it: a tool's name, a method of the protocol, a page."""
    work: Callable[[], Awaitable[T]]
    """Answers it, once the middleware lets it through."""
    scopes: tuple[Scope, ...] = ()
    """What the principal must be allowed."""
    kind: RequestKind | None = None
    """None for what does not reach the store, and is not limited."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    tool: AnyTool | None = None


class Handler(Protocol):
    """Answers requests: a middleware around another handler, or the work itself."""

    async def __call__(self, request: Request[T]) -> T:
        """Return what the request's work returns.

        Raises:
            MemoryMcpError: what the work raises, or why it was not done.
        """
        ...


async def _silence(_done: int, _total: int) -> None:
    """Nobody waits for progress."""


@dataclass(frozen=True)
class ToolCall(Generic[ArgumentsT, ResultT]):
    """A call of a tool with arguments as they came."""

    principal: Principal
    tool: Tool[ArgumentsT, ResultT]
    arguments: Mapping[str, object]
    progress: ReportProgress = _silence
    is_bounded: bool = True
    """Whether the answer is for a model, and must cost it less than 10,000 tokens; a script gets all of it."""

    @cached_property
    def parsed(self) -> ArgumentsT:
        """The arguments as the tool takes them, parsed for whoever asks first.

        Raises:
            InvalidArgumentError: one is unknown or breaks a bound.
        """
        return parse(self.tool.arguments, self.arguments)

    def validate(self) -> None:
        """Parse the arguments now.

        Raises:
            InvalidArgumentError: one is unknown or breaks a bound.
        """
        _ = self.parsed

    def request(self, work: Callable[[], Awaitable[T]]) -> Request[T]:
        """Return the request that this call is, answered by `work`."""
        tool = self.tool
        kind: RequestKind = "bulk" if tool.bulk else "read" if tool.read_only else "write"
        return Request(self.principal, tool.name, work, tool.scopes, kind, self.arguments, tool)
