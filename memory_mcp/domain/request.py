"""Which request is being answered, and of which trace it is a part; log lines and calls of the daemon say so."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")

TRACE: Final[ContextVar[Mapping[str, str]]] = ContextVar("trace", default=MappingProxyType({}))
"""`traceparent` and `tracestate`, as W3C Trace Context writes them; empty where nobody traces."""


def trace_id(trace: Mapping[str, str]) -> str:
    """Return the trace's id, 32 hexadecimal digits; empty where nobody traces."""
    return trace["traceparent"].split("-")[1] if trace else ""
