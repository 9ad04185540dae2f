"""The registry of tools: each has one file, and one line here."""

from __future__ import annotations

from typing import Final

from memory_mcp.settings import Settings
from memory_mcp.tools.base import AnyTool
from memory_mcp.tools.chatgpt import CHATGPT_FETCH, CHATGPT_SEARCH
from memory_mcp.tools.context import CONTEXT
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.get import GET
from memory_mcp.tools.health import HEALTH
from memory_mcp.tools.ingest import INGEST
from memory_mcp.tools.listing import LIST
from memory_mcp.tools.search import SEARCH
from memory_mcp.tools.store import STORE, STORE_MANY
from memory_mcp.tools.update import UPDATE

TOOLS: Final[tuple[AnyTool, ...]] = (STORE, STORE_MANY, SEARCH, LIST, GET, UPDATE, DELETE, CONTEXT, INGEST, HEALTH)


def offered(settings: Settings) -> tuple[AnyTool, ...]:
    """Return the tools that the settings enable; ChatGPT's two are optional."""
    tools = (*TOOLS, CHATGPT_SEARCH, CHATGPT_FETCH) if settings.chatgpt_tools_enabled else TOOLS
    return tuple(tool for tool in tools if not why_left_out(tool, settings))


def why_left_out(tool: AnyTool, settings: Settings) -> str:
    """Return why a tool is not offered, as what follows its name; empty if it is."""
    if settings.read_only and not tool.read_only:
        return "writes, but this server is read-only (MCP_MEMORY_READ_ONLY)"
    if tool is INGEST and not settings.documents_enabled:
        return "is turned off (MCP_MEMORY_DOCUMENTS_ENABLED)"
    return "is turned off (MCP_MEMORY_CONTEXT_ENABLED)" if tool is CONTEXT and not settings.context_enabled else ""
