"""The composition root: the one place where the parts are made and joined."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextvars import Context
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from embedder_api.v1.address import socket_path

from memory_mcp.background import Background
from memory_mcp.domain.ports import Embedder, Store
from memory_mcp.embedder import checks as embedder_checks
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.embedder.guarded import GuardedEmbedder
from memory_mcp.health.overview import Status
from memory_mcp.health.registry import Registry, Report
from memory_mcp.maintenance import backups as backup_files
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, ChunkPolicy
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.memories.watching import Watching
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY, SearchPolicy
from memory_mcp.settings import STORES, Settings, defaults
from memory_mcp.storage import checks as store_checks
from memory_mcp.storage.factory import make_store
from memory_mcp.tools.services import Services

if TYPE_CHECKING:
    from memory_mcp.provision.versions import Versions


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


def make_services(
    settings: Settings,
    store: Store,
    embedder: Embedder,
    policy: SearchPolicy = DEFAULT_POLICY,
    chunks: ChunkPolicy = DEFAULT_CHUNKS,
) -> Services:
    """Join the services to a store and an embedder."""
    backups = Backups(store, _backup_folder(settings))
    upkeep = Upkeep(
        store, backups if settings.backup_enabled else None, keep_changes=timedelta(days=settings.changes_days)
    )
    bulk_budget_s = settings.bulk_budget_s
    chores = Chores(store, embedder, upkeep, poll_s=settings.breaker_open_s, bulk_budget_s=bulk_budget_s, chunks=chunks)
    indexer = Indexer(
        embedder, interactive_budget_s=settings.embed_budget_s, bulk_budget_s=bulk_budget_s, policy=chunks
    )
    watching = Watching(store)
    health = make_live_checks(store, embedder, upkeep, (chores.background, watching.background))
    return Services(
        memories=Memories(store, indexer, on_pending=chores.wake),
        search=SearchPipeline(store, embedder, budget_s=settings.embed_budget_s, policy=policy),
        health=health,
        chores=chores,
        backups=backups,
        reembedding=Reembedding(store, embedder, indexer, budget_s=bulk_budget_s),
        status=Status(store, embedder, health),
        transfer=Transfer(store, indexer),
        watching=watching,
    )


def _backup_folder(settings: Settings) -> Path:
    return settings.backup_folder or settings.sqlite_path.parent / "backups"


def make_live_checks(store: Store, embedder: Embedder, upkeep: Upkeep, loops: Sequence[Background] = ()) -> Registry:
    """Let the parts that are open register their checks, in the order of the screen."""
    registry = Registry()
    embedder_checks.register(registry, embedder, store.space)
    store_checks.register(
        registry, store, lambda: upkeep.trouble, lambda: "; ".join(filter(None, (loop.trouble for loop in loops)))
    )
    return registry


async def examine_machine(
    settings: Settings | None, environment: Versions, seconds: float, verify_s: float | None
) -> Report:
    """Make every check of `memory-mcp doctor`, each within its seconds; nothing stays open.

    Args:
        settings: None where they do not fit: what begins with them is left out, and refers to the check of them.
        environment: the daemon's.
        seconds: that one check may take.
        verify_s: verifying the store's own seconds.
    """
    client = GrpcEmbedder((settings or defaults()).embedder_address)
    try:
        checks = make_machine_checks(settings, client, environment, verify_s)
        return await checks.machine(seconds)
    finally:
        await client.close()


def make_machine_checks(
    settings: Settings | None, client: GrpcEmbedder, environment: Versions, verify_s: float | None
) -> Registry:
    """Let every part register its checks of the machine, in the order of the screen; see `examine_machine`."""
    from memory_mcp import processes  # noqa: PLC0415 - for doctor alone
    from memory_mcp.embedder import described  # noqa: PLC0415 - likewise
    from memory_mcp.provision import checks as provision  # noqa: PLC0415 - likewise
    from memory_mcp.provision.clients import checks as clients  # noqa: PLC0415 - likewise
    from memory_mcp.storage import tokens  # noqa: PLC0415 - likewise

    registry = Registry()
    described.register(registry)
    named = registry if settings else registry.behind(described.SETTINGS)
    settings = settings or defaults()
    _register_store(named, settings, verify_s)
    _daemon_checks(settings, client, environment).register(named)
    processes.register(named, socket_path(settings.embedder_address), settings.sqlite_path)
    provision.register(registry, environment)
    clients.register(registry)
    tokens.register(named, settings.tokens_path)
    return registry


def _register_store(registry: Registry, settings: Settings, verify_s: float | None) -> None:
    """Let the parts that look at the store's files register."""
    from memory_mcp.storage import disk  # noqa: PLC0415 - for doctor alone
    from memory_mcp.storage.sqlite.maintenance import inspection  # noqa: PLC0415 - likewise

    path, folder, read_only = settings.sqlite_path, _backup_folder(settings), settings.read_only
    kind = settings.storage_backend
    foreign = "" if kind in STORES else f"{kind!r} is a package's; `memory-mcp status` says what it tells of itself"
    newest = partial(backup_files.newest_in, folder)
    written = partial(inspection.written, path, read_only=read_only)
    disk.register(registry, path, (path.parent, folder), read_only=read_only)
    inspection.register(registry, path, newest, read_only=read_only, verify_s=verify_s, skip=foreign)
    backup_files.register(registry, folder, written, enabled=settings.backup_enabled, read_only=read_only)


def _daemon_checks(settings: Settings, client: GrpcEmbedder, environment: Versions) -> embedder_checks.DaemonChecks:
    from memory_mcp.provision import checks as provision  # noqa: PLC0415 - for doctor alone
    from memory_mcp.provision import source  # noqa: PLC0415 - likewise
    from memory_mcp.storage.sqlite.maintenance import inspection  # noqa: PLC0415 - likewise

    return embedder_checks.DaemonChecks(
        client,
        source.golden(),
        explain=partial(provision.explained_within, environment, socket_path(settings.embedder_address)),
        upgrade=partial(provision.upgrade_command, environment),
        expected=partial(inspection.space, settings.sqlite_path, read_only=settings.read_only),
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
