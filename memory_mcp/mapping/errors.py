"""The errors of maps."""

from __future__ import annotations

from memory_mcp.domain.errors import MemoryMcpError


class MapError(MemoryMcpError):
    """The map cannot be drawn; the message says why and what fixes it."""
