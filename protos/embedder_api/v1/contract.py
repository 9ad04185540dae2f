"""Limits and error codes that both sides of the wire use."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from grpc import StatusCode

WIRE_VERSION: Final = 1
SERVICE_NAME: Final = "embedder_api.v1.Embedder"
"""The service's name in `grpc.health.v1`; the empty name reports the same."""

MAX_TEXTS: Final = 256
"""Maximum number of texts in one request."""

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Of one gRPC message in either direction; both sides set it (gRPC's default of 4 MiB fits 2,730 vectors of 384)."""

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

RETRY_AFTER_KEY: Final = "retry-after-ms"
"""Trailing metadata of an OVERLOADED answer: milliseconds, as decimal digits."""

WIRE_KEY: Final = "wire-version"
"""Metadata of an Embed call: the caller's WIRE_VERSION. Even after a call of Info, another daemon may answer, because
gRPC reconnects by itself. A daemon refuses other versions than its own."""

CHOICE_KEY: Final = "choice"
"""In InfoResponse.versions: why this engine and precision were chosen; absent if both were set."""

OUTDATED_KEY: Final = "outdated"
"""In InfoResponse.versions: why the daemon's environment should be rebuilt; absent if it is up to date."""


REPLICA_KEY: Final = "replica"
"""Trailing metadata of a refusal on a network: which daemon refused, `host:port`."""

REQUEST_ID_KEY: Final = "memory-mcp-request-id"
"""Metadata of a call: the id of the request that it serves, for the daemon's log."""

DEADLINE_KEY: Final = "deadline-ms"
"""Metadata of an Embed call: milliseconds that the caller still waits, as decimal digits. gRPC tells a daemon the same;
a service behind Ray Serve learns it from here alone."""

TRACEPARENT_KEY: Final = "traceparent"
"""Metadata of a call: its place in a trace (W3C Trace Context), optionally with `tracestate`."""


class ErrorCode(StrEnum):
    """Errors of a whole request."""

    INVALID_REQUEST = "invalid_request"
    SPACE_MISMATCH = "space_mismatch"
    FORBIDDEN = "forbidden"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"


STATUS_OF: Final[dict[ErrorCode, StatusCode]] = {
    ErrorCode.INVALID_REQUEST: StatusCode.INVALID_ARGUMENT,
    ErrorCode.SPACE_MISMATCH: StatusCode.FAILED_PRECONDITION,
    ErrorCode.FORBIDDEN: StatusCode.PERMISSION_DENIED,
    ErrorCode.OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.UNAVAILABLE: StatusCode.UNAVAILABLE,
    ErrorCode.DEADLINE: StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.INTERNAL: StatusCode.INTERNAL,
}
CODE_OF: Final[dict[StatusCode, ErrorCode]] = {status: code for code, status in STATUS_OF.items()}


class ItemError(StrEnum):
    """Errors of one text; `EmbedResponse.Item.error` is "code: sentence"."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    FAILED = "failed"
    NOT_FINITE = "not_finite"
    QUARANTINED = "quarantined"


TEMPORARY: Final = frozenset({ItemError.QUARANTINED})
"""Errors that pass by themselves: the same daemon may compute the text some days later."""
