"""All services of one application, for those that call them."""

from __future__ import annotations

from dataclasses import dataclass

from memory_mcp.services.backups import Backups
from memory_mcp.services.chores import Chores
from memory_mcp.services.health import Health
from memory_mcp.services.memories import Memories
from memory_mcp.services.reembedding import Reembedding
from memory_mcp.services.retrieval import Retrieval
from memory_mcp.services.status import Status
from memory_mcp.services.transfer import Transfer
from memory_mcp.services.watching import Watching


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
