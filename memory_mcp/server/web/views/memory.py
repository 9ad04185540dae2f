"""The view memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.server.web.view import PageView, Visit
from memory_mcp.tools.base import Arguments


class MemoryArguments(Arguments):
    id: str


async def load(visit: Visit, query: MemoryArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    del visit, query
    return {}


MEMORY: Final = PageView("memory", "/memories/{id}", MemoryArguments, load)
