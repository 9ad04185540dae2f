"""All services of one application, for those that call them."""

from __future__ import annotations

from dataclasses import dataclass

from memory_mcp.health.overview import Status
from memory_mcp.health.report import Health
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.memories.service import Memories
from memory_mcp.memories.watching import Watching
from memory_mcp.search.retrieval import Retrieval


@dataclass(frozen=True, slots=True)
class Services:
    """What the tools and the command line work with."""

    memories: Memories
    retrieval: Retrieval
    health: Health
    chores: Chores
    backups: Backups
    reembedding: Reembedding
    status: Status
    transfer: Transfer
    watching: Watching
