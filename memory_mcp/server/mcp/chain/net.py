"""Request id, trace and error net: every request has an id, and whatever fails below becomes an answer."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from mcp.shared.exceptions import MCPError
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel

from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.request import REQUEST_ID, TRACE
from memory_mcp.server.mcp import errors
from memory_mcp.server.mcp.chain.asked import Asked

TRACESTATE_LENGTH: Final = 512
"""Characters that must be carried on (W3C Trace Context, 3.3.1.5); more would fill the metadata of a gRPC call."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()


async def catch(asked: Asked, proceed: Callable[[], Awaitable[BaseModel]]) -> BaseModel:
    """Answer a failure of a tool with a result, any other with the protocol's error.

    Raises:
        MCPError: the protocol's error.
    """
    token, traced = REQUEST_ID.set(uuid.uuid4().hex), TRACE.set(_trace())
    try:
        return await proceed()
    except MCPError as error:
        raise errors.named(error) from error
    except MemoryMcpError as error:
        if asked.is_call:
            return errors.to_result(error)
        raise errors.to_protocol(error) from error
    except Exception as error:
        _log(asked)
        if asked.is_call:
            return errors.internal()
        raise errors.internal_protocol() from error
    finally:
        REQUEST_ID.reset(token)
        TRACE.reset(traced)


def _trace() -> dict[str, str]:
    """Return the place in a trace that the SDK has read from the request; it is a part of it as we are."""
    trace: dict[str, str] = {}
    _PROPAGATOR.inject(trace)
    if len(trace.get("tracestate", "")) > TRACESTATE_LENGTH:
        del trace["tracestate"]
    return trace


def _log(asked: Asked) -> None:
    import structlog  # noqa: PLC0415 - not before the handshake

    what = asked.tool.name if asked.tool else asked.ctx.method
    structlog.get_logger(__name__).exception("a request failed", what=what)
