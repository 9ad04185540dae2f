"""Tracebacks for the logs of both programs: what was raised and where, without an exception's own words.

Its words may quote a text: a parser shows what it could not parse, a checker the value that does not fit.
"""

from __future__ import annotations

import errno
import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def wordless(exc_info: ExcInfo) -> str:
    """Return the frames and the types of an exception, of what it came from and of what it holds."""
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
    """Name the type, and the system's code where there is one."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    code = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{kind} {code}" if code else kind
