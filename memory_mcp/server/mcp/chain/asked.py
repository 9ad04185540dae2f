"""A request as the chain sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import mcp_types as types
from mcp.server.context import ServerRequestContext

from memory_mcp.domain.principal import Scope
from memory_mcp.tools.base import AnyTool, Arguments, parse

Context = ServerRequestContext[dict[str, object]]
Kind = Literal["read", "write", "bulk"]

CALL: Final = "tools/call"
READING: Final = frozenset(
    {"resources/read", "resources/subscribe", "subscriptions/listen", "prompts/get", "completion/complete"}
)
"""What looks at memories, tools aside; the rest is answered from what the program is."""


@dataclass(frozen=True)
class Asked:
    """What is asked, in the words of the parts."""

    ctx: Context
    tool: AnyTool | None
    """The tool that is called, where there is one."""
    arguments: Mapping[str, object]
    """Its arguments, as they came."""
    name: str = ""
    """What was called, whether there is such a tool or not."""

    @classmethod
    def of(cls, ctx: Context, params: object, tools: Mapping[str, AnyTool]) -> Asked:
        """Make one of a handler's arguments."""
        if isinstance(params, types.CallToolRequestParams):
            return cls(ctx, tools.get(params.name), params.arguments or {}, params.name)
        return cls(ctx, None, {})

    @cached_property
    def parsed(self) -> Arguments:
        """The arguments as the tool takes them, parsed for whoever asks first; only where a tool is called.

        Raises:
            InvalidArgumentError: one is unknown or breaks a bound.
        """
        assert self.tool is not None  # noqa: S101 - for the types
        arguments: Arguments = parse(self.tool.arguments, self.arguments)
        return arguments

    @property
    def is_call(self) -> bool:
        """Whether a tool is called: what goes wrong is then a result that the model can read."""
        return self.ctx.method == CALL

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes that it needs."""
        if self.tool is not None:
            return self.tool.scopes
        return (Scope.READ,) if self.ctx.method in READING else ()

    @property
    def kind(self) -> Kind | None:
        """What it costs; None for what does not reach the store."""
        if self.tool is not None:
            return "bulk" if self.tool.bulk else "read" if self.tool.read_only else "write"
        return "read" if self.ctx.method in READING else None
