"""The composition root: the one place where the parts are made and joined."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from memory_mcp.domain.ports import Embedder, Store
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.embedder.guarded import GuardedEmbedder
from memory_mcp.services.bundle import Services
from memory_mcp.services.chores import Chores
from memory_mcp.services.health import Health
from memory_mcp.services.indexing import Indexer
from memory_mcp.services.memories import Memories
from memory_mcp.services.retrieval import Retrieval
from memory_mcp.settings import Settings
from memory_mcp.storage.factory import make_store


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
    chores = Chores(store, embedder, poll_s=settings.breaker_open_s, bulk_budget_s=settings.bulk_budget_s)
    indexer = Indexer(embedder, interactive_budget_s=settings.embed_budget_s, bulk_budget_s=settings.bulk_budget_s)
    return Services(
        memories=Memories(store, indexer, on_pending=chores.wake),
        retrieval=Retrieval(store, embedder, budget_s=settings.embed_budget_s),
        health=Health(store, embedder),
        chores=chores,
    )


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Make everything, do the chores meanwhile, and let go of everything at the end."""
    async with contextlib.AsyncExitStack() as stack:
        store, embedder = make_store(settings), make_embedder(settings)
        stack.push_async_callback(store.close)
        stack.push_async_callback(embedder.close)
        services = make_services(settings, store, embedder)
        chores = asyncio.create_task(services.chores.run())
        stack.push_async_callback(_end, chores)
        yield services


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
