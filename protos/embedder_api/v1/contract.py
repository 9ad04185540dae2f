"""Limits and error codes that both sides of the wire hold to."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from grpc import StatusCode

WIRE_VERSION: Final = 1
SERVICE_NAME: Final = "embedder_api.v1.Embedder"
"""The service's name in `grpc.health.v1`; the empty name reports the same."""

MAX_TEXTS: Final = 256
"""Texts in one request."""

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Of one gRPC message, either way; both sides set it (gRPC's own default of 4 MiB holds 2,730 vectors of 384)."""

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

RETRY_AFTER_KEY: Final = "retry-after-ms"
"""Trailing metadata of an OVERLOADED answer: milliseconds, as decimal digits."""

WIRE_KEY: Final = "wire-version"
"""Metadata of a call of Embed: the caller's WIRE_VERSION. Info was asked, and yet another daemon may answer: the
connection may be lost in between, and gRPC makes a new one by itself. A daemon refuses what is not its own version."""

CHOICE_KEY: Final = "choice"
"""In InfoResponse.versions: why it is this engine and this precision; absent where both were set."""

OUTDATED_KEY: Final = "outdated"
"""In InfoResponse.versions: why the daemon's environment should be built again; absent where it fits."""


REQUEST_ID_KEY: Final = "memory-mcp-request-id"
"""Metadata of a call: the id of the request that it serves, for the daemon's log."""

TRACEPARENT_KEY: Final = "traceparent"
"""Metadata of a call: its place in a trace, as W3C Trace Context writes it; its `tracestate` may come with it."""


class ErrorCode(StrEnum):
    """What may be wrong with a whole request."""

    INVALID_REQUEST = "invalid_request"
    SPACE_MISMATCH = "space_mismatch"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"


STATUS_OF: Final[dict[ErrorCode, StatusCode]] = {
    ErrorCode.INVALID_REQUEST: StatusCode.INVALID_ARGUMENT,
    ErrorCode.SPACE_MISMATCH: StatusCode.FAILED_PRECONDITION,
    ErrorCode.OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.UNAVAILABLE: StatusCode.UNAVAILABLE,
    ErrorCode.DEADLINE: StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.INTERNAL: StatusCode.INTERNAL,
}
CODE_OF: Final[dict[StatusCode, ErrorCode]] = {status: code for code, status in STATUS_OF.items()}


class ItemError(StrEnum):
    """What may be wrong with one text; `EmbedResponse.Item.error` is "code: sentence"."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    FAILED = "failed"
    NOT_FINITE = "not_finite"
    QUARANTINED = "quarantined"


TEMPORARY: Final = frozenset({ItemError.QUARANTINED})
"""What passes by itself: the same daemon may compute the text some days later."""
