"""How a failure reaches the client: one table from the domain's errors to what the protocol has."""

from __future__ import annotations

import asyncio
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
from memory_mcp.domain.request import REQUEST_ID

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

INTERNAL: Final = "internal"
"""The code of a bug of ours."""

CODE_KEY: Final = "memory-mcp/error"
RETRY_KEY: Final = "memory-mcp/retry_after"
"""Seconds."""
REQUEST_KEY: Final = "memory-mcp/request_id"
"""What the logs of front and daemon call the request."""

WRONG_REQUEST: Final = (InvalidArgumentError, NotFoundError, ForbiddenError)
"""What the protocol calls wrong parameters; it has no code for anything finer."""


def code_of(error: MemoryMcpError) -> str:
    """Return the code of the nearest class in the table."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def to_result(error: MemoryMcpError) -> types.CallToolResult:
    """Tell the model what was wrong and what to do; it is a result, so that it can fix its call."""
    return _failed(str(error), _about(error))


def to_protocol(error: MemoryMcpError) -> MCPError:
    """Tell the client, where a request has no result that could say it."""
    code = types.INVALID_PARAMS if isinstance(error, WRONG_REQUEST) else types.INTERNAL_ERROR
    return MCPError(code, str(error), _about(error))


def named(error: MCPError) -> MCPError:
    """Return a protocol's error with the request's id in its data."""
    if error.data is not None and not isinstance(error.data, dict):
        return error
    return MCPError(error.code, error.message, {**(error.data or {}), REQUEST_KEY: REQUEST_ID.get()})


def internal_protocol() -> MCPError:
    """Tell of a bug of ours, as `internal` does."""
    return MCPError(types.INTERNAL_ERROR, _internal(), _coded(INTERNAL))


def internal() -> types.CallToolResult:
    """Tell of a bug of ours, without its details; they stand in the log under the request id."""
    return _failed(_internal(), _coded(INTERNAL))


def _internal() -> str:
    return f"internal error; the log on stderr says more under request id {REQUEST_ID.get()}"


def outcome(error: BaseException) -> str:
    """Return one word for how a request failed, one of a few."""
    if isinstance(error, MemoryMcpError):
        return code_of(error)
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "protocol" if isinstance(error, MCPError) else INTERNAL


def _about(error: MemoryMcpError) -> dict[str, object]:
    about = _coded(code_of(error))
    return about | {RETRY_KEY: error.retry_after_s} if isinstance(error, RateLimitedError) else about


def _coded(code: str) -> dict[str, object]:
    return {CODE_KEY: code, REQUEST_KEY: REQUEST_ID.get()}


def _failed(text: str, about: dict[str, object]) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True, _meta=about)
