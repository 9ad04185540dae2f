"""The log format of both programs: structlog, readable on a terminal and JSON elsewhere.

Texts of memories are omitted unless requested: `CONTENT` of lines, and exceptions' messages in tracebacks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Literal

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from memory_common.tracebacks import worded, wordless

Style = Literal["json", "console", "colours"]

CONTENT: Final = "content"
"""The key of texts and arguments in a line; no other key may contain them."""

_SHARED: Final[tuple[Processor, ...]] = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _withhold(_: object, __: str, event: EventDict) -> EventDict:
    event.pop(CONTENT, None)
    return event


def configure(
    name: str,
    level: str,
    *,
    style: Style,
    handler: logging.Handler,
    content: bool,
    more: Sequence[Processor] = (),
) -> None:
    """Send the lines of one program, and of its libraries from WARNING on, to a handler in one format.

    Args:
        name: the program's logger.
        level: debug, info, warning or error.
        style: auto, json or console.
        handler: the destination.
        content: whether to show content.
        more: processors of the program's own lines, which run first.
    """
    exceptions = structlog.processors.ExceptionRenderer(worded if content else wordless)
    ending: list[Processor] = [ProcessorFormatter.remove_processors_meta, exceptions, _renderer(style)]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=_SHARED, processors=ending))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(name).setLevel(level.upper())
    structlog.configure(
        processors=[*more, *([] if content else [_withhold]), *_SHARED, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logging.getLogger(name),
        cache_logger_on_first_use=False,
    )


def style_of(wanted: str, *, terminal: bool) -> Style:
    """Return the format of lines; `wanted` is auto (readable on a terminal, JSON elsewhere), json or console."""
    if wanted == "json" or (wanted == "auto" and not terminal):
        return "json"
    return "colours" if terminal else "console"


def _renderer(style: Style) -> Processor:
    """Return the renderer of lines; with plain tracebacks, so that an installed rich changes nothing."""
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=style == "colours", exception_formatter=plain)
