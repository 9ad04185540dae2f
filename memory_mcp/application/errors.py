"""The error net: every request gets an id, and every failure leaves as a domain error."""

from __future__ import annotations

import os
from typing import Any, Final

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from memory_mcp.application.request import Handler, Request, T
from memory_mcp.domain.errors import Code, InternalError, MemoryMcpError
from memory_mcp.domain.request import REQUEST_ID, TRACE

TRACESTATE_LENGTH: Final = 512
"""Characters that must be propagated (W3C Trace Context, 3.3.1.5); more would fill the metadata of a gRPC call."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Errors:
    """Gives each request an id, and turns every exception into a MemoryMcpError with that id.

    A bug becomes an InternalError; its details are in the log.
    """

    def __init__(self, proceed: Handler) -> None:
        self._proceed = proceed

    async def __call__(self, request: Request[T]) -> T:
        request_id = os.urandom(16).hex()
        token, traced = REQUEST_ID.set(request_id), TRACE.set(_trace_context())
        try:
            return await self._proceed(request)
        except Exception as error:
            if isinstance(error, MemoryMcpError) and error.code is not Code.INTERNAL:
                error.request_id = request_id
                raise
            _log(request)
            raise InternalError(request_id) from error
        finally:
            REQUEST_ID.reset(token)
            TRACE.reset(traced)


def _trace_context() -> dict[str, str]:
    """Return the trace context that the transport read from the request."""
    trace: dict[str, str] = {}
    _PROPAGATOR.inject(trace)
    if len(trace.get("tracestate", "")) > TRACESTATE_LENGTH:
        del trace["tracestate"]
    return trace


def _log(request: Request[Any]) -> None:
    import structlog  # noqa: PLC0415 - not before the handshake

    structlog.get_logger(__name__).exception("a request failed", what=request.name)
