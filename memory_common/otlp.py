"""Spans that go to an OpenTelemetry collector, as protobuf over HTTP; imported only where `tracing.begin` is called.

The provider is our own and not the process's: what other libraries put into their spans, such as the name that a client
calls a tool by or an exception's message, is not ours to send. The SDK reads its own variables (OTEL_TRACES_SAMPLER,
OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_SCHEDULE_DELAY …).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

Attributes = Mapping[str, AttributeValue]

TIMEOUT_S: Final = 2.0
"""Seconds that a collector has to take a batch, tries included: so long it may hold up the end of the process."""
UNNAMED: Final = "unknown_service"
"""What the SDK calls a service that OTEL_SERVICE_NAME does not name."""
SCOPE: Final = "memory-mcp"
PROPAGATOR: Final = TraceContextTextMapPropagator()


class OtlpSpans:
    """See `tracing.Spans`."""

    def __init__(self, endpoint: str, service: str, version: str) -> None:
        # One line for a batch that is lost; the exporter would tell of each try.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=TIMEOUT_S)
        provider = TracerProvider(resource=_resource(service, version))  # sends what is left when the process ends
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = provider.get_tracer(SCOPE, version)

    @contextmanager
    def root(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Iterator[None]:
        """Begin a span under the caller's, if the headers name one, else under the current one, else a new trace."""
        parent = PROPAGATOR.extract(headers) if headers else None
        with self._recorded(name, SpanKind.SERVER, attributes, parent):
            yield

    @contextmanager
    def child(self, name: str, attributes: Attributes) -> Iterator[None]:
        """Begin a span under the current one; nothing without one."""
        if not trace.get_current_span().is_recording():
            yield
            return
        with self._recorded(name, SpanKind.INTERNAL, attributes, None):
            yield

    @contextmanager
    def _recorded(
        self, name: str, kind: SpanKind, attributes: Attributes, parent: context.Context | None
    ) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:  # its message may quote a memory; its kind does not
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def past(self, name: str, began: float, ended: float, attributes: Attributes) -> None:
        """Record a span under the current one that has ended; both times are of time.monotonic."""
        if trace.get_current_span().is_recording():
            epoch = time.time() - time.monotonic()
            span = self._tracer.start_span(name, attributes=attributes, start_time=_nanoseconds(epoch + began))
            span.end(_nanoseconds(epoch + ended))

    def headers(self) -> Mapping[str, str]:
        """Return the current span's `traceparent`; empty without one."""
        found: dict[str, str] = {}
        PROPAGATOR.inject(found)
        return {name: value for name, value in found.items() if name == "traceparent"}


def _resource(service: str, version: str) -> Resource:
    given = Resource.create({SERVICE_VERSION: version})
    if str(given.attributes[SERVICE_NAME]).startswith(UNNAMED):
        return given.merge(Resource({SERVICE_NAME: service}))
    return given


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
