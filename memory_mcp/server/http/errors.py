"""The one table from the domain's error codes to HTTP statuses."""

from __future__ import annotations

import math
from typing import Final

from starlette.responses import JSONResponse

from memory_mcp.domain.errors import Code, MemoryMcpError, RateLimitedError

STATUSES: Final[dict[Code, int]] = {
    Code.INVALID_ARGUMENT: 400,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL: 500,
    Code.PROVISION: 500,
    Code.TRANSFER: 500,
    Code.EMBEDDER: 503,
    Code.SANDBOX: 503,
    Code.SOURCE: 502,
    Code.LLM: 502,
    Code.SETTINGS: 503,
    Code.STORE: 503,
    Code.LOCKED: 503,
}


def to_response(error: MemoryMcpError) -> JSONResponse:
    """Return the response for an error."""
    headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if isinstance(error, RateLimitedError) else None
    return JSONResponse({"error": str(error)}, STATUSES[error.code], headers)
