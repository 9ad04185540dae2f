"""The registry of tools: each has one file, and one line here."""

from __future__ import annotations

from typing import Final

from memory_mcp.settings import Settings
from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.chatgpt import CHATGPT_FETCH, CHATGPT_SEARCH
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.get import GET
from memory_mcp.tools.health import HEALTH
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.store import STORE, STORE_MANY
from memory_mcp.tools.update import UPDATE

TOOLS: Final[tuple[AnyTool, ...]] = (STORE, STORE_MANY, SEARCH, LIST, GET, UPDATE, DELETE, HEALTH)


def offered(settings: Settings) -> tuple[AnyTool, ...]:
    """Return the tools that the settings enable: ChatGPT's two are optional, a read-only server offers no writes."""
    tools = (*TOOLS, CHATGPT_SEARCH, CHATGPT_FETCH) if settings.chatgpt_tools_enabled else TOOLS
    return tuple(tool for tool in tools if tool.read_only or not settings.read_only)
