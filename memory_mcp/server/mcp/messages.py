"""Parses JSON-RPC messages strictly, and equally on every transport.

The SDK's own readers replace bad bytes or leave a lone surrogate unanswered, and treat a request with an invalid `id`
as a notification, so that its sender would wait for ever.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Final

import mcp_types as types
from pydantic import ValidationError
from pydantic_core import from_json

from memory_common.utf8 import is_text

MAX_PATH: Final = 100
"""Maximum characters for the path to an invalid value."""
MAX_DIGITS: Final = 4_300
"""Digits of the longest integer that Python parses (`sys.get_int_max_str_digits`)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An invalid message, with the error to answer it with."""

    answer: types.JSONRPCError

    def json(self) -> str:
        return self.answer.model_dump_json(by_alias=True, exclude_unset=True)


Message = types.JSONRPCMessage


def parse(text: bytes) -> types.JSONRPCMessage | Refused:
    """Parse a message from JSON in UTF-8; return the error to answer if it is invalid."""
    try:
        loose: object = from_json(text, allow_inf_nan=False)
    except ValueError:
        guess = _parse_loosely(text)
        problem = _problem_in(guess) or "the message is not JSON in UTF-8, or is nested too deeply"
        return wrong(types.PARSE_ERROR, problem, _id_of(guess))
    try:
        message = types.jsonrpc_message_adapter.validate_python(loose, by_name=False)
    except ValidationError:
        return wrong(types.INVALID_REQUEST, "the message is not a JSON-RPC 2.0 request", _id_of(loose))
    if isinstance(message, types.JSONRPCNotification) and isinstance(loose, dict) and "id" in loose:
        return wrong(types.INVALID_REQUEST, "id: must be an integer or a string")  # answered, because its sender waits
    return message


def wrong(code: int, message: str, request_id: types.RequestId | None = None) -> Refused:
    """Return the error for an invalid message."""
    return Refused(types.JSONRPCError(jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=message)))


def invalid_request(problem: str) -> Refused:
    """Return the error for a well-formed request that cannot be accepted."""
    return wrong(types.INVALID_REQUEST, problem)


def request_id(message: Message | Refused | None) -> types.RequestId | None:
    """Return the id of a message that waits for an answer; None for others."""
    return message.id if isinstance(message, types.JSONRPCRequest) else None


def begins(message: Message | Refused | None, method: str) -> bool:
    """Whether a message is a request of this method."""
    return isinstance(message, types.JSONRPCRequest) and message.method == method


def asked_for(message: Message | None) -> tuple[str, object] | None:
    """Return a request's method, and the name in its parameters; None for what is no request."""
    if not isinstance(message, types.JSONRPCRequest):
        return None
    return message.method, (message.params or {}).get("name")


def _parse_loosely(text: bytes) -> object:
    """Parse what is almost JSON (a lone surrogate, NaN), to find its id."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text, parse_int=_integer)
    return None


def _integer(digits: str) -> int | _LongNumber:
    return int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else _LongNumber()


class _LongNumber:
    """Stands for an integer too long for Python to parse."""


def _problem_in(loose: object) -> str | None:
    """Return where a message has a lone surrogate, which `json.loads` accepts, or too many digits."""
    waiting = [("", loose)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(path, str(name)) for name in value] + [(f"{path}.{name}", of) for name, of in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}.{place}", of) for place, of in enumerate(value)]
        elif isinstance(value, str) and not is_text(value):
            return f"{_shown(path)}: contains a lone surrogate, which is not a character; remove it"
        elif isinstance(value, _LongNumber):
            return f"{_shown(path)}: is a number with more than {MAX_DIGITS:,} digits; send it as a string"
    return None


def _shown(path: str) -> str:
    return path.lstrip(".")[-MAX_PATH:].encode(errors="backslashreplace").decode() or "the message"


def _id_of(loose: object) -> types.RequestId | None:
    """Return the id of an invalid message, so that its sender does not wait for ever."""
    value = loose.get("id") if isinstance(loose, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return None if isinstance(value, str) and not value.isprintable() else value
