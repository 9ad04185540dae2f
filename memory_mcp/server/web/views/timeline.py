"""The view timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.server.web.view import Nav, NoArguments, PageView, Visit


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    del visit, query
    return {}


TIMELINE: Final = PageView("timeline", "/timeline", NoArguments, load, nav=Nav("memories", "timeline"))
