"""How a failure reaches the client: one table from the domain's errors to what the protocol has."""

from __future__ import annotations

from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from memory_mcp.domain.errors import (
    ConflictError,
    EmbedderError,
    ForbiddenError,
    InvalidArgumentError,
    MemoryMcpError,
    NotFoundError,
    RateLimitedError,
    SettingsError,
    StoreError,
    TransferError,
)

CODES: Final[dict[type[MemoryMcpError], str]] = {
    InvalidArgumentError: "invalid_argument",
    NotFoundError: "not_found",
    ConflictError: "conflict",
    ForbiddenError: "forbidden",
    RateLimitedError: "rate_limited",
    StoreError: "store",
    TransferError: "transfer",
    EmbedderError: "embedder",
    SettingsError: "settings",
}
"""The code of each kind of error, in `_meta` of the result; subclasses have their parent's."""

CODE_KEY: Final = "memory-mcp/error"
RETRY_KEY: Final = "memory-mcp/retry_after"
"""Seconds."""

WRONG_REQUEST: Final = (InvalidArgumentError, NotFoundError, ForbiddenError)
"""What the protocol calls wrong parameters; it has no code for anything finer."""


def code_of(error: MemoryMcpError) -> str:
    """Return the code of the nearest class in the table."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def to_result(error: MemoryMcpError) -> types.CallToolResult:
    """Tell the model what was wrong and what to do; it is a result, so that it can mend its call."""
    return _failed(str(error), _about(error))


def to_protocol(error: MemoryMcpError) -> MCPError:
    """Tell the client, where a request has no result that could say it."""
    code = types.INVALID_PARAMS if isinstance(error, WRONG_REQUEST) else types.INTERNAL_ERROR
    return MCPError(code, str(error), _about(error))


def internal_protocol(request_id: str) -> MCPError:
    """Tell of a bug of ours, as `internal` does."""
    return MCPError(types.INTERNAL_ERROR, _told(request_id))


def internal(request_id: str) -> types.CallToolResult:
    """Tell of a bug of ours, without its details; they stand in the log under the request id."""
    return _failed(_told(request_id), {CODE_KEY: "internal"})


def _told(request_id: str) -> str:
    return f"internal error; the log on stderr says more under request id {request_id}"


def _about(error: MemoryMcpError) -> dict[str, object]:
    about: dict[str, object] = {CODE_KEY: code_of(error)}
    return about | {RETRY_KEY: error.retry_after_s} if isinstance(error, RateLimitedError) else about


def _failed(text: str, about: dict[str, object]) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True, _meta=about)
