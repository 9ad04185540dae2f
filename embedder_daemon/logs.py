"""Logs on stderr or in a rotated file; `memory_common.log_lines` defines their format and what they omit."""

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
"""Maximum bytes of a log file before it is rotated."""
FILES_KEPT: Final = 4
"""Rotated files to keep."""

CALL: Final[ContextVar[Mapping[str, str]]] = ContextVar("call", default=MappingProxyType({}))
"""The names of the current call: request_id, trace_id, span_id. They are bound only in lines about the call, because
the tasks and timers that it starts inherit its context and outlive it."""


class _PrivateFile(RotatingFileHandler):
    """A log file that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)  # it may have existed before
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def configure(level: str, style: str, *, file: Path | None = None, content: bool = False) -> None:
    """Send our lines, and libraries' from WARNING on, to one place in one format.

    Args:
        level: debug, info, warning or error.
        style: auto, json or console.
        file: the log file; None means stderr.
        content: whether to show texts, and exceptions' messages, which may quote them.

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
    """Return the logger of the current call."""
    return get().bind(**CALL.get())
