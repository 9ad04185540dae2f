"""The tools: one file and one line here for each."""

from __future__ import annotations

from typing import Final

from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.get import GET
from memory_mcp.tools.health import HEALTH
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.store import STORE, STORE_MANY
from memory_mcp.tools.update import UPDATE

TOOLS: Final[tuple[AnyTool, ...]] = (STORE, STORE_MANY, SEARCH, LIST, GET, UPDATE, DELETE, HEALTH)
