"""Log lines on stderr; `memory_common.log_lines` defines their format and what they omit."""

from __future__ import annotations

import logging
import sys
from typing import Final

from structlog.typing import EventDict

from memory_common import log_lines
from memory_mcp.domain.request import REQUEST_ID, TRACE, trace_id
from memory_mcp.settings import Settings

NAME: Final = "memory_mcp"


def _add_request(_: object, __: str, event: EventDict) -> EventDict:
    """Add the request id and the trace to a line."""
    if request_id := REQUEST_ID.get():
        event.setdefault("request_id", request_id)
    if traced := trace_id(TRACE.get()):
        event.setdefault("trace_id", traced)
    return event


def configure(settings: Settings) -> None:
    """Configure the logs of this process and of its libraries, those from WARNING on."""
    log_lines.configure(
        NAME,
        settings.log_level,
        style=log_lines.style_of(settings.log_format, terminal=sys.stderr.isatty()),
        handler=logging.StreamHandler(sys.stderr),
        content=settings.log_content,
        more=[_add_request],
    )
