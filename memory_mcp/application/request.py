"""A request from MCP, a page over HTTP, or the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

from memory_mcp.domain.models import MAX_ID
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.tools.base import AnyTool, ArgumentsT, AskRoots, ResultT, Tool, no_roots, parse

T = TypeVar("T")
RequestKind = Literal["read", "write", "bulk"]
"""What a request counts as: one read, one write, or a bulk write."""
ReportProgress = Callable[[int, int], Awaitable[None]]
"""Gets (done, total)."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request as the middleware sees it."""

    principal: Principal
    name: str
    """Its name in the log: a tool, a protocol method or a page."""
    work: Callable[[], Awaitable[T]]
    """Answers the request once it has passed the middleware."""
    scopes: tuple[Scope, ...] = ()
    """The scopes that the principal needs."""
    kind: RequestKind | None = None
    """None for requests that do not reach the store and have no limit."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    tool: AnyTool | None = None
    concerns: list[str] = field(default_factory=list)
    """The ids of the memories and documents that it is about; the work adds those of its answer."""
    is_audited: bool = False
    """Whether the audit has a line of it even where it succeeds; it has one of all that are refused."""


class Handler(Protocol):
    """Answers requests: a middleware around another handler, or the work itself."""

    async def __call__(self, request: Request[T]) -> T:
        """Return what the request's work returns.

        Raises:
            MemoryMcpError: what the work raises, or what the middleware refused.
        """
        ...


async def _silence(_done: int, _total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class ToolCall(Generic[ArgumentsT, ResultT]):
    """A tool call with its raw arguments."""

    principal: Principal
    tool: Tool[ArgumentsT, ResultT]
    arguments: Mapping[str, object]
    progress: ReportProgress = _silence
    is_bounded: bool = True
    """Whether the answer is for a model and must stay below 10,000 tokens; scripts get everything."""
    ask_roots: AskRoots = no_roots

    @cached_property
    def parsed(self) -> ArgumentsT:
        """The parsed arguments, parsed on first use.

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
        """Return this call as a request that `work` answers."""
        tool = self.tool
        kind: RequestKind = "bulk" if tool.bulk else "read" if tool.read_only else "write"
        named = self.arguments.get("id")
        return Request(
            self.principal,
            tool.name,
            work,
            tool.scopes,
            kind,
            self.arguments,
            tool,
            concerns=[named] if isinstance(named, str) and len(named) <= MAX_ID else [],
            is_audited=True,
        )
