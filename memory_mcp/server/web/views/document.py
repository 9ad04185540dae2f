"""The view document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.server.web.view import PageView, Visit
from memory_mcp.tools.base import Arguments


class DocumentArguments(Arguments):
    id: str


async def load(visit: Visit, query: DocumentArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    del visit, query
    return {}


DOCUMENT: Final = PageView("document", "/documents/{id}", DocumentArguments, load)
