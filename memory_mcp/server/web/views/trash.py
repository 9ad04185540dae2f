"""The view trash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.server.web.view import Nav, NoArguments, PageView, Visit


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    del visit, query
    return {}


TRASH: Final = PageView("trash", "/trash", NoArguments, load, nav=Nav("memories", "trash"))
