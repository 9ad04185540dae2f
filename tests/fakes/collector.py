"""An OpenTelemetry collector: a real HTTP server that decodes what exporters send, and forwards nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Received:
    """A span, and the service that made it."""

    service: str
    span: Span

    @property
    def trace_id(self) -> str:
        """The id of its trace, hexadecimal."""
        return self.span.trace_id.hex()


class Collector:
    """Listens on a port of the loopback until the block ends."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.bodies: list[bytes] = []
        self._news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """What a setting names."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)

    def until(self, condition: Callable[[list[Received]], object]) -> list[Received]:
        """Wait until the received spans meet a condition, and return them."""
        end = time.monotonic() + PATIENCE_S
        with self._news:
            while not condition(self.received):
                assert self._news.wait(end - time.monotonic()), sorted(each.span.name for each in self.received)
            return list(self.received)

    def _take(self, path: str, body: bytes) -> int:
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            return 400
        if path != "/v1/traces":
            return 404
        with self._news:
            self.bodies.append(body)
            for resource in request.resource_spans:
                named = {each.key: each.value.string_value for each in resource.resource.attributes}
                spans = [span for scope in resource.scope_spans for span in scope.spans]
                self.received += [Received(named["service.name"], span) for span in spans]
            self._news.notify_all()
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(take(self.path, body))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        return Handler
