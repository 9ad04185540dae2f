"""The composition root: the only module that builds the parts and connects them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from memory_common.tls_files import TlsFiles
from memory_mcp import background, environment
from memory_mcp.application.transfer import ExportBackups
from memory_mcp.context.project import reach_of
from memory_mcp.context.service import ContextService
from memory_mcp.context.states import ContextState, Requests
from memory_mcp.documents import folders as watched_folders
from memory_mcp.documents.folders import Folders
from memory_mcp.documents.ingesting import Ingesting
from memory_mcp.documents.jobs import LEASE, JobRunner
from memory_mcp.documents.opening import open_below
from memory_mcp.documents.preparing import Preparer
from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.control import ReadingLimits
from memory_mcp.domain.checks import SETTINGS
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import (
    ChatModel,
    ContextSources,
    Embedder,
    Identities,
    Store,
    SupportsDocuments,
    Tokens,
)
from memory_mcp.embedder import checks as embedder_checks
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.embedder.guarded import GuardedEmbedder
from memory_mcp.health.overview import Status
from memory_mcp.health.registry import Registry, Report
from memory_mcp.logger import Logger
from memory_mcp.machine_checks import DoctorOptions, backup_folder, register_machine
from memory_mcp.maintenance import audit
from memory_mcp.maintenance import upkeep as store_upkeep
from memory_mcp.maintenance.backups import Backups
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.leases import Lease
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.mapping import service as mapping
from memory_mcp.mapping.service import Maps
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, ChunkPolicy
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.memories.timeline import Timeline
from memory_mcp.memories.watching import Watching
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY, SearchPolicy
from memory_mcp.settings import SQLITE, Settings, defaults, tls_files
from memory_mcp.shared.tier import make_tier
from memory_mcp.sources import checks as source_checks
from memory_mcp.sources.adapter import Toolbox
from memory_mcp.sources.registry import ConfiguredSources
from memory_mcp.sources.secrets import filler
from memory_mcp.storage import checks as store_checks
from memory_mcp.storage import factory
from memory_mcp.tools.services import IngestRules, Services

if TYPE_CHECKING:
    from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption


log = Logger(__name__)
SOURCE_LIMITS: Final = ReadingLimits(memory_bytes=2 << 30)
"""Of a source's file, which is read in memory."""


def make_tokens(settings: Settings) -> Tokens:
    """Return the bearer tokens of HTTP clients; what is kept of them is read at the first call."""
    return factory.make_tokens(settings)


def make_provider(settings: Settings, url: str) -> Identities | None:
    """Return what knows the identity provider's tokens, if one is configured; it is asked at the first of them.

    Args:
        settings: name it.
        url: by which clients reach this server, for which tokens have to be meant.

    Raises:
        SettingsError: what checks its tokens is not installed.
    """
    if settings.oidc_issuer is None:
        return None
    try:
        from memory_mcp.oidc.identities import OidcIdentities, TokenRules  # noqa: PLC0415 - an extra
        from memory_mcp.oidc.keys import ProviderKeys  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is not installed, which checks the tokens of MCP_MEMORY_OIDC_ISSUER; "
            "pip install 'memory-mcp[oidc]'"
        ) from error
    audience, namespace = settings.oidc_audience or url, reach_of(settings.namespace).namespace
    rules = TokenRules(settings.oidc_issuer, audience, settings.oidc_algorithms, settings.oidc_grants, namespace)
    return OidcIdentities(rules, ProviderKeys(settings.oidc_issuer))


def make_encryption(settings: Settings) -> Encryption:
    """Return what encrypts and decrypts the store's file and its backups; raises SettingsError if it is no file."""
    return factory.make_encryption(settings, backup_folder(settings))


def make_chat_model(settings: Settings, on_loading: Callable[[], None]) -> ChatModel:
    """Return the language model that the settings name; nothing is connected yet.

    Raises:
        SettingsError: they name none.
    """
    from memory_mcp.llm.configured import NO_MODEL, ConfiguredModel  # noqa: PLC0415 - 60 ms of httpx2, for `ask` alone

    if settings.llm_model is None:
        raise SettingsError(NO_MODEL)
    return ConfiguredModel(settings.llm_url, settings.llm_model, on_loading)


def make_client(address: str, tls: TlsFiles | None = None) -> GrpcEmbedder:
    """Return the daemon of an address, without a breaker; nothing is connected yet."""
    return GrpcEmbedder(address, tls)


def make_embedder(settings: Settings, client: Embedder | None = None) -> Embedder:
    """Return the daemon, or what is given in its place, behind its breaker; nothing is connected yet."""
    policy = BreakerPolicy(
        window=settings.breaker_window,
        min_calls=settings.breaker_min_calls,
        error_rate=settings.breaker_error_rate,
        slow_rate=settings.breaker_slow_rate,
        open_s=settings.breaker_open_s,
    )
    return GuardedEmbedder(
        client or make_client(settings.embedder_address, tls_files(settings)),
        Breaker(policy, time.monotonic),
        slow_share=settings.breaker_slow_share,
        probe_budget_s=settings.embed_budget_s,
    )


def make_sources(settings: Settings, embedder: Embedder) -> ConfiguredSources:
    """Return the configured sources of context; nothing is read or connected yet."""

    def make_toolbox() -> Toolbox:
        return Toolbox(
            fill=filler(environment.secret),
            embedder=embedder,
            embed_budget_s=settings.embed_budget_s,
            make_sandbox=lambda reader: Sandbox(
                unsandboxed=settings.ingest_unsandboxed, limits=SOURCE_LIMITS, reader=reader
            ),
        )

    return ConfiguredSources(settings.sources if settings.sources_enabled else {}, make_toolbox)


@contextlib.asynccontextmanager
async def opened_sources(settings: Settings) -> AsyncIterator[ConfiguredSources]:
    """Make the sources for one command, without a store, and close them at the end."""
    embedder = make_embedder(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(embedder.close)
        sources = make_sources(settings, embedder)
        stack.push_async_callback(sources.close)
        yield sources


def make_services(
    settings: Settings,
    store: Store,
    embedder: Embedder,
    policy: SearchPolicy = DEFAULT_POLICY,
    health: Registry | None = None,
    chunks: ChunkPolicy = DEFAULT_CHUNKS,
    sources: ContextSources | None = None,
) -> Services:
    """Join the services to a store and an embedder; each part registers its checks, in the order of the screen.

    Args:
        settings: of the services.
        store: opens itself at its first call.
        embedder: connects itself likewise.
        policy: the numbers of the searches.
        chunks: how contents are cut.
        sources: what a block of context is made of beside memories; the caller closes them.
        health: where the checks go; a registry of its own if it is None.
    """
    bulk_budget_s = settings.bulk_budget_s
    indexer = Indexer(
        embedder, interactive_budget_s=settings.embed_budget_s, bulk_budget_s=bulk_budget_s, policy=chunks
    )
    transfer = partial(Transfer, store, indexer)
    backups = Backups(store, backup_folder(settings), exports=ExportBackups(transfer))
    is_backed_up = settings.backup_enabled and not settings.is_copied_elsewhere
    health = Registry() if health is None else health
    trail = audit.made(store, health, settings)
    keep_changes = timedelta(days=settings.changes_days)
    upkeep = Upkeep(store, backups if is_backed_up else None, keep_changes=keep_changes, audit=trail)
    chores = Chores(store, embedder, upkeep, poll_s=settings.breaker_open_s, bulk_budget_s=bulk_budget_s, chunks=chunks)
    watching = Watching(store)
    embedder_checks.register(health, embedder, lambda: store.read(lambda it: it.space(), is_short=True))
    store_checks.register(health, store)
    store_upkeep.register(health, upkeep, read_only=settings.read_only)
    ingesting, folders = _make_documents(settings, store, indexer, chores)
    if folders is not None:
        watched_folders.register(health, folders)
    requests = Requests(_log_state if settings.log_level == "debug" else _log_trouble)
    search = SearchPipeline(store, embedder, budget_s=settings.embed_budget_s, policy=policy)
    parts = (chores, watching, ingesting, folders, trail)
    background.register(health, [part.background for part in parts if part is not None])
    return Services(
        memories=Memories(store, indexer, on_pending=chores.wake),
        search=search,
        context=ContextService(store, search, sources, requests=requests),
        sources=sources,
        health=health,
        chores=chores,
        backups=backups,
        reembedding=Reembedding(store, embedder, indexer, budget_s=bulk_budget_s),
        status=Status(store, embedder, health, sources.figures if sources else tuple),
        transfer=transfer,
        watching=watching,
        shared=make_tier(settings, health),
        ingesting=ingesting,
        folders=folders,
        ingest_rules=IngestRules(settings.ingest_roots, settings.ingest_watch),
        timeline=Timeline(store),
        maps=_make_maps(settings, store),
        audit=trail,
    )


def _make_maps(settings: Settings, store: Store) -> Maps:
    """Return the map, whose file lies beside the store's, or where that would."""
    path = settings.sqlite_path
    name = f"{path.name}-map" if settings.storage_backend == SQLITE else f"{settings.storage_backend}-map"
    lease, keeps = Lease(store, mapping.LEASE), partial(factory.keeps_derived, settings)
    return Maps(store, lease, path.with_name(name), read_only=settings.read_only, keeps=keeps)


def _make_documents(
    settings: Settings, store: Store, indexer: Indexer, chores: Chores
) -> tuple[Ingesting, Folders] | tuple[None, None]:
    """Return what ingests documents and what keeps watched folders current, if the store keeps documents.

    The sandbox is started by the first file.
    """
    if not (settings.documents_enabled and isinstance(store, SupportsDocuments)):
        return None, None
    machine = "" if settings.storage_backend == SQLITE else f"@{socket.gethostname()}"  # whose files are read
    sandbox, documents = Sandbox(unsandboxed=settings.ingest_unsandboxed), store.documents
    runner = JobRunner(
        documents,
        Preparer(documents, sandbox, open_below),
        indexer,
        Lease(store, f"{LEASE}{machine}"),
        space=lambda: store.read(lambda it: it.space(), is_short=True),
        on_pending=chores.wake,
    )
    ingesting = Ingesting(documents, runner, sandbox=sandbox)
    lease = Lease(store, f"{watched_folders.LEASE}{machine}")
    return ingesting, Folders(documents, ingesting, lease, for_clients=settings.ingest_watch)


def _log_state(request_id: str, state: ContextState, ms: float) -> None:
    log.debug("context", request_id=request_id, state=state.value, ms=ms)


def _log_trouble(request_id: str, state: ContextState, ms: float) -> None:
    """Tell of a server's request; a command says on stderr itself what went wrong."""
    if request_id and state in {ContextState.LATE, ContextState.FAILED}:
        log.info("context", request_id=request_id, state=state.value, ms=ms)


async def examine_machine(settings: Settings | None, options: DoctorOptions, seconds: float) -> Report:
    """Make every check of `memory-mcp doctor`, each within its seconds; nothing stays open.

    Args:
        settings: None where they do not fit: what begins with them is left out, and refers to the check of them.
        options: of the command.
        seconds: that one check may take.
    """
    health = Registry()
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(SettingsError):  # doctor refers to `memory-mcp status` for a package's store
            _open(stack, settings, health, options, creates=False)
        return await health.machine(seconds)


def _open(
    stack: contextlib.AsyncExitStack,
    settings: Settings | None,
    health: Registry,
    options: DoctorOptions,
    *,
    creates: bool,
) -> Services:
    """Make everything, with all checks in one registry; the stack lets go of it.

    Raises:
        SettingsError: the store cannot be made; what looks at the machine is registered all the same.
    """
    known = settings or defaults()
    client = make_client(known.embedder_address, tls_files(known))
    embedder = make_embedder(known, client)
    stack.push_async_callback(embedder.close)
    health.defer(partial(register_machine, settings, client, options))
    store = factory.make_store(known, creates=creates)
    stack.push_async_callback(store.close)
    sources = make_sources(known, embedder)
    stack.push_async_callback(sources.close)
    checks = health if settings else health.behind(SETTINGS)
    services = make_services(known, store, embedder, health=checks, sources=sources)
    stack.push_async_callback(services.shared.close)
    if sources.are_any:
        source_checks.register(checks, sources)
    if services.ingesting is not None:
        stack.push_async_callback(services.ingesting.close)
    stack.push_async_callback(services.maps.close)
    return services


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Build everything, run the chores during the block, and close everything at the end."""
    async with opened(settings) as services:
        # In its own context: a request may have built the services, and its id must not appear in the chores' lines.
        parts = () if settings.read_only else (services.chores, services.ingesting, services.folders, services.audit)
        loops = [part.run for part in parts if part is not None]
        loops += [services.sources.prepare] if services.sources else []
        running_loops = [asyncio.create_task(loop(), context=Context()) for loop in loops]
        try:
            yield services
        finally:
            for task in running_loops:
                await _end(task)


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, creates: bool = True) -> AsyncIterator[Services]:
    """Build everything for one command, without chores, and close it at the end.

    A command that only reads does not create a missing store.
    """
    async with contextlib.AsyncExitStack() as stack:
        yield _open(stack, settings, Registry(), DoctorOptions(), creates=creates)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
