"""The views of the page: each has one file, and one line here; the navigation has them in this order."""

from __future__ import annotations

from typing import Final

from memory_mcp.server.web.view import AnyView
from memory_mcp.server.web.views.data import DATA
from memory_mcp.server.web.views.document import DOCUMENT
from memory_mcp.server.web.views.documents import DOCUMENTS
from memory_mcp.server.web.views.health import HEALTH
from memory_mcp.server.web.views.jobs import JOBS
from memory_mcp.server.web.views.map import MAP
from memory_mcp.server.web.views.memory import MEMORY
from memory_mcp.server.web.views.search import SEARCH
from memory_mcp.server.web.views.sources import SOURCES
from memory_mcp.server.web.views.timeline import TIMELINE
from memory_mcp.server.web.views.tokens import TOKENS
from memory_mcp.server.web.views.trash import TRASH

VIEWS: Final[tuple[AnyView, ...]] = (
    SEARCH,
    MEMORY,
    TIMELINE,
    MAP,
    DOCUMENTS,
    DOCUMENT,
    JOBS,
    TRASH,
    SOURCES,
    HEALTH,
    TOKENS,
    DATA,
)
