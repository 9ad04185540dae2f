"""The services of one application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memory_mcp.context.service import ContextService
from memory_mcp.documents.folders import Folders
from memory_mcp.documents.ingesting import Ingesting
from memory_mcp.domain.ports import ContextSources
from memory_mcp.health.overview import Status
from memory_mcp.health.registry import Registry
from memory_mcp.maintenance.audit import AuditTrail
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.mapping.service import Maps
from memory_mcp.memories.service import Memories
from memory_mcp.memories.timeline import Timeline
from memory_mcp.memories.watching import Watching
from memory_mcp.shared.tier import SharedTier

if TYPE_CHECKING:
    from memory_mcp.search.pipeline import SearchPipeline  # not needed for the first tools/list


@dataclass(frozen=True, slots=True)
class IngestRules:
    """What callers other than the command line may have read."""

    roots: tuple[Path, ...] = ()
    """Absolute folders."""
    may_watch: bool = False
    """Whether they may have a folder kept current for good."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the tools and the command line work with."""

    memories: Memories
    search: SearchPipeline
    context: ContextService
    sources: ContextSources | None
    """What the context asks beside the store."""
    health: Registry
    chores: Chores
    backups: Backups
    reembedding: Reembedding
    status: Status
    transfer: Callable[[], Transfer]
    """Makes one for one export or import: it counts, and remembers an embedder that failed."""
    watching: Watching
    shared: SharedTier
    ingesting: Ingesting | None
    """None: the store keeps no documents, or they are turned off."""
    folders: Folders | None
    """None in the same cases."""
    ingest_rules: IngestRules
    timeline: Timeline
    maps: Maps
    audit: AuditTrail
