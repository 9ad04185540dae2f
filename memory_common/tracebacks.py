"""Tracebacks for the logs of both programs, without the exceptions' messages.

A message may quote a text: a parser shows what it could not parse, a validator the invalid value.
"""

from __future__ import annotations

import errno
import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def wordless(exc_info: ExcInfo) -> str:
    """Return the frames and types of an exception, of its causes, and of the members of a group."""
    return _told(exc_info[1], set()).rstrip()


def worded(exc_info: ExcInfo) -> str:
    """Return Python's own traceback."""
    return "".join(traceback.format_exception(exc_info[1])).rstrip()


def _told(error: BaseException, seen: set[int]) -> str:
    seen.add(id(error))
    lines = [*traceback.format_tb(error.__traceback__), f"{_kind(error)}\n"]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        lines.insert(0, f"{_told(cause, seen)}\nfrom which came:\n\n")
    if isinstance(error, BaseExceptionGroup):
        lines += [f"\nin which there was:\n\n{_told(held, seen)}" for held in error.exceptions if id(held) not in seen]
    return "".join(lines)


def _kind(error: BaseException) -> str:
    """Return the type, and the system's error code if there is one."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    code = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{kind} {code}" if code else kind
