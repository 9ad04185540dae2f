"""The composition root: the one place where the parts are made and joined."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextvars import Context

from memory_mcp.domain.ports import Embedder, Store
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.embedder.guarded import GuardedEmbedder
from memory_mcp.health.overview import Status
from memory_mcp.health.report import Health
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.memories.watching import Watching
from memory_mcp.search.retrieval import Retrieval
from memory_mcp.settings import Settings
from memory_mcp.storage.factory import make_store
from memory_mcp.tools.services import Services


def make_embedder(settings: Settings) -> Embedder:
    """Return the daemon behind its breaker; nothing is connected yet."""
    policy = BreakerPolicy(
        window=settings.breaker_window,
        min_calls=settings.breaker_min_calls,
        error_rate=settings.breaker_error_rate,
        slow_rate=settings.breaker_slow_rate,
        open_s=settings.breaker_open_s,
    )
    return GuardedEmbedder(
        GrpcEmbedder(settings.embedder_address),
        Breaker(policy, time.monotonic),
        slow_share=settings.breaker_slow_share,
        probe_budget_s=settings.embed_budget_s,
    )


def make_services(settings: Settings, store: Store, embedder: Embedder) -> Services:
    """Join the services to a store and an embedder."""
    backups = Backups(store, settings.backup_folder or settings.sqlite_path.parent / "backups")
    upkeep = Upkeep(store, backups if settings.backup_enabled else None)
    chores = Chores(store, embedder, upkeep, poll_s=settings.breaker_open_s, bulk_budget_s=settings.bulk_budget_s)
    indexer = Indexer(embedder, interactive_budget_s=settings.embed_budget_s, bulk_budget_s=settings.bulk_budget_s)
    health = Health(store, embedder, upkeep)
    return Services(
        memories=Memories(store, indexer, on_pending=chores.wake),
        retrieval=Retrieval(store, embedder, budget_s=settings.embed_budget_s),
        health=health,
        chores=chores,
        backups=backups,
        reembedding=Reembedding(store, embedder, indexer, budget_s=settings.bulk_budget_s),
        status=Status(store, embedder, health),
        transfer=Transfer(store, indexer),
        watching=Watching(store),
    )


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Make everything, do the chores meanwhile, and let go of everything at the end."""
    async with opened(settings) as services:
        # In a context of its own: what made the services may be a request, whose id is none of the chores'.
        chores = None if settings.read_only else asyncio.create_task(services.chores.run(), context=Context())
        try:
            yield services
        finally:
            if chores is not None:
                await _end(chores)


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, creates: bool = True) -> AsyncIterator[Services]:
    """Make everything for one command, and let go of it at the end; the chores are for those that stay.

    A command that only reads creates no store where there is none.
    """
    async with contextlib.AsyncExitStack() as stack:
        store, embedder = make_store(settings, creates=creates), make_embedder(settings)
        stack.push_async_callback(store.close)
        stack.push_async_callback(embedder.close)
        yield make_services(settings, store, embedder)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
