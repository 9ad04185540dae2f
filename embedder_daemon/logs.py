"""Logs: on stderr, or in a file that rotates; `memory_common.log_lines` says how they look and what they leave out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import MappingProxyType
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from memory_common import log_lines

NAME: Final = "embedder_daemon"
FILE_BYTES: Final = 10_000_000
"""Of a log file before the next one is begun."""
FILES_KEPT: Final = 4
"""Beside the one that is written."""

CALL: Final[ContextVar[Mapping[str, str]]] = ContextVar("call", default=MappingProxyType({}))
"""What names the call that is answered: request_id, trace_id, span_id. It is bound where a line is about that call,
not added to every line: tasks and timers that a call starts inherit its context, and outlive it."""


class _PrivateFile(RotatingFileHandler):
    """A log file for its owner's eyes."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)  # it may have been there
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def configure(level: str, style: str, *, file: Path | None = None, content: bool = False) -> None:
    """Send our lines, and those of libraries from WARNING on, to one place in one format.

    Args:
        level: debug, info, warning or error.
        style: auto, json or console.
        file: where to, in place of stderr.
        content: whether texts are shown, and the words of exceptions, which may quote them.

    Raises:
        OSError: the file cannot be written.
    """
    handler = logging.StreamHandler(sys.stderr) if file is None else _rotating(file)
    terminal = file is None and sys.stderr.isatty()
    log_lines.configure(
        NAME, level, style=log_lines.style_of(style, terminal=terminal), handler=handler, content=content
    )


def _rotating(file: Path) -> RotatingFileHandler:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _PrivateFile(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT)


def get() -> FilteringBoundLogger:
    """Return the logger."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def of_call() -> FilteringBoundLogger:
    """Return the logger of the call that is answered."""
    return get().bind(**CALL.get())
