"""Spans of a trace, for both programs. Until `begin` is called, nothing is imported, and a span is one call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol
from urllib.parse import urlsplit

Attribute = str | int | float | bool
"""Of a span: counts, sizes and words of our own; never what a user wrote, nor who they are."""

COLLECTOR_VARIABLE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own, which many programs heed; ours have a setting beside it."""


class Spans(Protocol):
    """Makes spans; see `otlp.OtlpSpans`."""

    def root(
        self, name: str, headers: Mapping[str, str], attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[object]:
        """Begin a span under the caller's, if the headers name one, else under the current one, else a new trace."""
        ...

    def child(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[object]:
        """Begin a span under the current one; nothing without one."""
        ...

    def past(self, name: str, began: float, ended: float, attributes: Mapping[str, Attribute]) -> None:
        """Record a span under the current one that has ended; both times are of time.monotonic."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return the current span's `traceparent`; empty without one."""
        ...


_OFF: Final[AbstractContextManager[object]] = nullcontext()
_spans: Spans | None = None


def begin(endpoint: str, service: str, version: str) -> None:
    """Send spans to an OpenTelemetry collector from now on; the second call does nothing.

    Args:
        endpoint: the collector's URL, without `/v1/traces`.
        service: the program's name in traces; OTEL_SERVICE_NAME is stronger.
        version: the program's.

    Raises:
        ImportError: OpenTelemetry's SDK or its exporter is not installed.
        ValueError: the endpoint is no HTTP URL.
    """
    global _spans  # noqa: PLW0603 - one per process, as the trace of a request passes every layer
    if _spans is None:
        from memory_common.otlp import OtlpSpans  # noqa: PLC0415 - 0.3 s, only where traces are wanted

        _spans = OtlpSpans(collector(endpoint), service, version)


def root(name: str, told: Mapping[str, str] | None = None, **attributes: Attribute) -> AbstractContextManager[object]:
    """Return the span of a request, under the caller's if its headers name one (W3C Trace Context)."""
    return _OFF if _spans is None else _spans.root(name, told or {}, attributes)


def child(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """Return the span of a part of the current request; work for no request has none."""
    return _OFF if _spans is None else _spans.child(name, attributes)


def past(name: str, began: float, ended: float, **attributes: Attribute) -> None:
    """Record a part of the current request that has ended; both times are of time.monotonic."""
    if _spans is not None:
        _spans.past(name, began, ended, attributes)


def headers() -> Mapping[str, str]:
    """Return what names the current span to another program: `traceparent`, or nothing."""
    return {} if _spans is None else _spans.headers()


def collector(url: str) -> str:
    """Return the URL of a collector without a slash at its end; an empty one stays empty.

    Raises:
        ValueError: it is no HTTP URL, or one with a user name, query or fragment.
    """
    parts = urlsplit(url.strip())
    _ = parts.port  # parsed only now
    extra = parts.username is not None or parts.query or parts.fragment
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname or extra):
        raise ValueError("give a collector's HTTP URL, such as http://127.0.0.1:4318")
    return parts.geturl().rstrip("/")
