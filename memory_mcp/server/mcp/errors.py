"""The one table from the domain's error codes to MCP's."""

from __future__ import annotations

from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from memory_mcp.domain.errors import Code, MemoryMcpError, RateLimitedError

PROTOCOL_CODES: Final[dict[Code, int]] = {
    Code.INVALID_ARGUMENT: types.INVALID_PARAMS,
    Code.NOT_FOUND: types.INVALID_PARAMS,
    Code.FORBIDDEN: types.INVALID_PARAMS,
    Code.CONFLICT: types.INTERNAL_ERROR,
    Code.RATE_LIMITED: types.INTERNAL_ERROR,
    Code.STORE: types.INTERNAL_ERROR,
    Code.LOCKED: types.INTERNAL_ERROR,
    Code.TRANSFER: types.INTERNAL_ERROR,
    Code.EMBEDDER: types.INTERNAL_ERROR,
    Code.SETTINGS: types.INTERNAL_ERROR,
    Code.PROVISION: types.INTERNAL_ERROR,
    Code.SANDBOX: types.INTERNAL_ERROR,
    Code.SOURCE: types.INTERNAL_ERROR,
    Code.LLM: types.INTERNAL_ERROR,
    Code.INTERNAL: types.INTERNAL_ERROR,
}
"""MCP has one number for invalid parameters and one for everything else; `CODE_KEY` carries our own code."""

CODE_KEY: Final = "memory-mcp/error"
RETRY_KEY: Final = "memory-mcp/retry_after"
"""Seconds."""
REQUEST_KEY: Final = "memory-mcp/request_id"
"""The request id in the logs of front and daemon."""


def to_result(error: MemoryMcpError) -> types.CallToolResult:
    """Return the error as a tool result, so that the model can read it and fix its call."""
    return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True, _meta=_about(error))


def to_protocol(error: MemoryMcpError) -> MCPError:
    """Return the error as a protocol error, for requests whose result cannot carry it."""
    return MCPError(PROTOCOL_CODES[error.code], str(error), _about(error))


def code_in(about: object) -> Code | None:
    """Return our code from an error's data or a result's `_meta`; None if there is none."""
    named = about.get(CODE_KEY) if isinstance(about, dict) else None
    return Code(named) if named in set(Code) else None


def _about(error: MemoryMcpError) -> dict[str, object]:
    about: dict[str, object] = {CODE_KEY: error.code.value, REQUEST_KEY: error.request_id}
    return about | {RETRY_KEY: error.retry_after_s} if isinstance(error, RateLimitedError) else about
