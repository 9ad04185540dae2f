"""The view data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.domain.principal import Scope
from memory_mcp.server.web.view import Nav, NoArguments, PageView, Visit


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    del visit, query
    return {}


DATA: Final = PageView("data", "/data", NoArguments, load, nav=Nav("system", "data"), scope=Scope.ADMIN)
