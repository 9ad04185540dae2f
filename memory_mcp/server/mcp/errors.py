"""How a failure reaches an MCP client: one table from the domain's codes to the protocol's."""

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
    Code.TRANSFER: types.INTERNAL_ERROR,
    Code.EMBEDDER: types.INTERNAL_ERROR,
    Code.SETTINGS: types.INTERNAL_ERROR,
    Code.PROVISION: types.INTERNAL_ERROR,
    Code.INTERNAL: types.INTERNAL_ERROR,
}
"""The protocol has a number for wrong parameters and one for all else; our own code goes along under `CODE_KEY`."""

CODE_KEY: Final = "memory-mcp/error"
RETRY_KEY: Final = "memory-mcp/retry_after"
"""Seconds."""
REQUEST_KEY: Final = "memory-mcp/request_id"
"""What the logs of front and daemon call the request."""


def to_result(error: MemoryMcpError) -> types.CallToolResult:
    """Tell the model what was wrong and what to do; it is a result, so that it can fix its call."""
    return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True, _meta=_about(error))


def to_protocol(error: MemoryMcpError) -> MCPError:
    """Tell the client, where a request has no result that could say it."""
    return MCPError(PROTOCOL_CODES[error.code], str(error), _about(error))


def code_in(about: object) -> Code | None:
    """Read the code back from an error's data or a result's `_meta`; None where there is none of ours."""
    named = about.get(CODE_KEY) if isinstance(about, dict) else None
    return Code(named) if named in set(Code) else None


def _about(error: MemoryMcpError) -> dict[str, object]:
    about: dict[str, object] = {CODE_KEY: error.code.value, REQUEST_KEY: error.request_id}
    return about | {RETRY_KEY: error.retry_after_s} if isinstance(error, RateLimitedError) else about
