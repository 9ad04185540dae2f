"""How a failure reaches the client: one table from the domain's errors to what the protocol has."""

from __future__ import annotations

from typing import Final

import mcp_types as types

from memory_mcp.domain.errors import (
    ConflictError,
    EmbedderError,
    InvalidArgumentError,
    MemoryMcpError,
    NotFoundError,
    SettingsError,
    StoreError,
    TransferError,
)

CODES: Final[dict[type[MemoryMcpError], str]] = {
    InvalidArgumentError: "invalid_argument",
    NotFoundError: "not_found",
    ConflictError: "conflict",
    StoreError: "store",
    TransferError: "transfer",
    EmbedderError: "embedder",
    SettingsError: "settings",
}
"""The code of each kind of error, in `_meta` of the result; subclasses have their parent's."""

CODE_KEY: Final = "memory-mcp/error"


def code_of(error: MemoryMcpError) -> str:
    """Return the code of the nearest class in the table."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def to_result(error: MemoryMcpError) -> types.CallToolResult:
    """Tell the model what was wrong and what to do; it is a result, so that it can mend its call."""
    return _failed(str(error), code_of(error))


def internal(request_id: str) -> types.CallToolResult:
    """Tell of a bug of ours, without its details; they stand in the log under the request id."""
    return _failed(f"internal error; the log on stderr says more under request id {request_id}", "internal")


def _failed(text: str, code: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True, _meta={CODE_KEY: code})
