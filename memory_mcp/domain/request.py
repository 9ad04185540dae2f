"""The current request and its trace, for log lines and calls to the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")

TRACE: Final[ContextVar[Mapping[str, str]]] = ContextVar("trace", default=MappingProxyType({}))
"""`traceparent` and `tracestate` of W3C Trace Context; empty without a trace."""


def trace_id(trace: Mapping[str, str]) -> str:
    """Return the trace id, 32 hexadecimal digits; empty without a trace."""
    return trace["traceparent"].split("-")[1] if trace else ""
