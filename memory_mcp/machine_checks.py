"""What `memory-mcp doctor` alone looks at: the machine around the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from memory_mcp.domain.checks import SETTINGS
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.embedder import checks as embedder_checks
from memory_mcp.health.registry import Registry
from memory_mcp.maintenance import backups as backup_files
from memory_mcp.settings import POSTGRES, SQLITE, Settings, defaults
from memory_mcp.storage import inspections

if TYPE_CHECKING:
    from memory_mcp.embedder.client import GrpcEmbedder
    from memory_mcp.provision.versions import Versions


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What `memory-mcp doctor` is told."""

    venv: Path | None = None
    """The daemon's environment; None where it is to be found."""
    verify_s: float | None = None
    """Verifying the store's own seconds."""


def backup_folder(settings: Settings) -> Path:
    name = "backups" if settings.storage_backend == SQLITE else f"backups-{settings.storage_backend}"
    return settings.backup_folder or settings.sqlite_path.parent / name


def register_machine(
    settings: Settings | None, client: GrpcEmbedder, options: DoctorOptions, registry: Registry
) -> None:
    """Let the parts that only doctor looks at register, in the order of the screen; see `app.examine_machine`."""
    from memory_mcp import processes  # noqa: PLC0415 - for doctor alone
    from memory_mcp.context.hooks import journal as hooks  # noqa: PLC0415 - likewise
    from memory_mcp.documents.sandbox import checks as sandbox  # noqa: PLC0415 - likewise
    from memory_mcp.embedder import described  # noqa: PLC0415 - likewise
    from memory_mcp.provision import checks as provision  # noqa: PLC0415 - likewise
    from memory_mcp.provision.clients import checks as clients  # noqa: PLC0415 - likewise
    from memory_mcp.provision.versions import Versions  # noqa: PLC0415 - likewise
    from memory_mcp.storage import tokens  # noqa: PLC0415 - likewise

    described.register(registry)
    named = registry if settings else registry.behind(SETTINGS)
    settings = settings or defaults()
    environment = Versions(provision.place(options.venv and options.venv.absolute()))
    _register_store(named, settings, options.verify_s)
    _daemon_checks(settings, client, environment).register(named)
    processes.register(named, settings.embedder_address, settings.sqlite_path, skip=inspections.no_file(settings))
    provision.register(registry, environment)
    clients.register(registry)
    hooks.register(registry)
    if settings.storage_backend != POSTGRES:
        tokens.register(named, settings.tokens_path)
    if settings.oidc_issuer:
        _register_provider(named, settings.oidc_issuer)
    sandbox.register(named, unsandboxed=settings.ingest_unsandboxed)


def _register_provider(registry: Registry, issuer: str) -> None:
    try:
        from memory_mcp.oidc import keys  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        cause = f"{error.name} is not installed, which checks the tokens of MCP_MEMORY_OIDC_ISSUER"
        lacking = Finding(Condition.FAILED, "not installed", cause, "pip install 'memory-mcp[oidc]'")
        registry.add_blocking("provider", lambda _: lacking)
    else:
        keys.register(registry, keys.ProviderKeys(issuer))


def _register_store(registry: Registry, settings: Settings, verify_s: float | None) -> None:
    """Register the checks of where the store lies, and of its backups."""
    folder = backup_folder(settings)
    inspections.register(registry, settings, folder, partial(backup_files.newest_in, folder), verify_s)
    backup_files.register(
        registry,
        folder,
        partial(inspections.written, settings),
        skip=backup_files.NOT_HERE if settings.is_copied_elsewhere else "",
        enabled=settings.backup_enabled,
        read_only=settings.read_only,
    )


def _daemon_checks(settings: Settings, client: GrpcEmbedder, environment: Versions) -> embedder_checks.DaemonChecks:
    from memory_mcp.provision import checks as provision  # noqa: PLC0415 - only for doctor
    from memory_mcp.provision import source  # noqa: PLC0415 - likewise

    return embedder_checks.DaemonChecks(
        client,
        source.golden_files(),
        explain=partial(provision.explained_within, environment, settings.embedder_address),
        upgrade=partial(provision.upgrade_command, environment),
        expected=inspections.expected_space(settings),
    )
