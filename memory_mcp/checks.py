"""All checks of `memory-mcp doctor`, in the order of the screen.

A new one is a function in the module of the part that it looks at, and a line here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from embedder_api.v1.address import socket_path

from memory_mcp import processes, settings
from memory_mcp.domain.checks import Check, Seen
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.embedder import checks as embedder
from memory_mcp.embedder import described
from memory_mcp.embedder.client import GrpcEmbedder
from memory_mcp.health.checkup import blocking, in_thread
from memory_mcp.maintenance import backups
from memory_mcp.provision import checks as provision
from memory_mcp.provision import source, troubles
from memory_mcp.provision.clients.checks import clients
from memory_mcp.provision.installed import find_service
from memory_mcp.provision.process import SystemRunner
from memory_mcp.provision.recipe import MODEL_DIGESTS
from memory_mcp.provision.service import Service
from memory_mcp.provision.versions import Versions
from memory_mcp.settings import Settings
from memory_mcp.storage import disk, tokens
from memory_mcp.storage.sqlite.maintenance import inspection

SETTINGS: Final = "settings"
OF_SETTINGS: Final = (
    *("disk", "store", "verify", "lock", "queue", "backups", "socket", "daemon", "process", "version", "space"),
    *("vector", "tokens", "fronts"),
)
"""The checks that begin with what the settings name."""
DESCRIBE_SHARE: Final = 0.8
"""Of the check's time that the daemon's code has to tell its settings."""
REACH_SHARE: Final = 0.6
"""Of the check's time that the daemon has for its answer; the rest is for finding out why there is none."""
FIND_SHARE: Final = 0.15
"""Of the check's time that the system's services have, launchd and systemd one after the other, to say who they are."""
READ_ONLY: Final = "nothing is written here: MCP_MEMORY_READ_ONLY"


def make_checks(config: Settings, client: GrpcEmbedder, environment: Versions, verify_s: float | None) -> list[Check]:
    """Join the parts' functions to what the settings name; the environment is the daemon's.

    Verifying has its own seconds where `verify_s` says so.
    """
    store, folder = config.sqlite_path, config.backup_folder or config.sqlite_path.parent / "backups"
    socket, read_only = socket_path(config.embedder_address), config.read_only
    daemon = embedder.DaemonChecks(client, source.golden())

    async def compared(seconds: float) -> Seen:
        look = partial(inspection.space, store, seconds, read_only=read_only)
        return await daemon.space(await in_thread(look), seconds)

    def newest() -> Path | None:
        return next((held.path for held in backups.held_in(folder)), None)

    def aged(seconds: float) -> Seen:
        if not config.backup_enabled:
            return "they are off: MCP_MEMORY_BACKUP_ENABLED"
        return backups.age(folder, inspection.written(store, seconds, read_only=read_only), datetime.now(UTC))

    return [
        Check(SETTINGS, blocking(_settings)),
        Check("disk", _unless_read_only(config, partial(disk.room, store, (store.parent, folder)))),
        Check("store", blocking(partial(_store, config, newest))),
        Check("verify", blocking(partial(inspection.verify, store, newest, read_only=read_only)), ("store",), verify_s),
        Check("lock", _unless_read_only(config, partial(inspection.lock, store)), ("store",)),
        Check("queue", blocking(partial(inspection.queue, store, read_only=read_only)), ("store",)),
        Check("backups", _unless_read_only(config, aged), ("store",)),
        Check("socket", blocking(partial(embedder.socket, socket))),
        Check("daemon", partial(_reached, daemon, socket, environment)),
        Check("process", blocking(partial(processes.daemon, socket)), ("daemon",)),
        Check("version", partial(_version, daemon, environment), ("daemon",)),
        Check("space", compared, ("store", "daemon")),
        Check("vector", daemon.vector, ("daemon",)),
        *_of_machine(environment),
        Check("tokens", blocking(partial(tokens.look, config.tokens_path))),
        Check("fronts", blocking(partial(processes.fronts, store))),
    ]


def _unless_read_only(config: Settings, look: Callable[[float], Seen]) -> Callable[[float], Awaitable[Seen]]:
    """Make a check of what only matters to who writes; it may write for a moment itself."""
    return blocking(lambda _: READ_ONLY) if config.read_only else blocking(look)


async def _reached(daemon: embedder.DaemonChecks, socket: Path, environment: Versions, seconds: float) -> Seen:
    """Say how the daemon is, and what keeps it from answering."""
    found = await daemon.daemon(REACH_SHARE * seconds)
    if found.condition is Condition.OK:
        return found
    runner = SystemRunner(FIND_SHARE * seconds)
    return await in_thread(lambda: explained(found, socket, environment, find_service(runner)))


def explained(found: Finding, socket: Path, environment: Versions, service: Service | None) -> Finding:
    """Return what a client says of the daemon with the cause and the command that hold on this machine.

    `daemon status` and `doctor` say the same by it.
    """
    if found.state == "unreachable" and (other := embedder.in_the_way(socket) or processes.stopped_daemon(socket)):
        return other
    return troubles.fitted(found, environment, service)


async def _version(daemon: embedder.DaemonChecks, environment: Versions, seconds: float) -> Seen:
    """Compare the versions; the command is that of `daemon status`."""
    found = await daemon.version(seconds)
    if isinstance(found, Finding) and found.condition is Condition.DEGRADED:
        command = await in_thread(partial(provision.upgrade_command, environment))
        return replace(found, fix=f"{command}, then restart the clients")
    return found


def checks_without_settings(environment: Versions) -> list[Check]:
    """Return the checks that can be made where the settings do not fit; the others refer to that one."""
    made = [Check(SETTINGS, blocking(_settings)), *_of_machine(environment)]
    others = (Check(name, blocking(_settings), (SETTINGS,)) for name in OF_SETTINGS)
    return [*made, *others]


def _of_machine(environment: Versions) -> list[Check]:
    return [
        Check("interpreter", blocking(partial(provision.interpreter, environment))),
        Check("model", blocking(partial(provision.model, environment, MODEL_DIGESTS)), ("interpreter",)),
        Check("service", blocking(partial(provision.service, find_service))),
        Check("clients", blocking(clients)),
    ]


def _settings(seconds: float) -> Seen:
    """Judge the settings of both programs; the daemon's are those that one would have that is started from here."""
    ours = settings.look(seconds)
    if ours.condition is Condition.FAILED:
        return ours
    try:
        theirs = described.ask(DESCRIBE_SHARE * seconds)
    except EmbedderError as error:
        return replace(ours, detail=f"{ours.detail}; {error}".lstrip("; "))
    if not theirs.wrong:
        return ours
    return Finding(Condition.DEGRADED, "unknown", "; ".join(filter(None, [ours.cause, *theirs.wrong])), settings.FIX)


def _store(config: Settings, newest: inspection.Newest, seconds: float) -> Seen:
    if config.storage_backend not in settings.STORES:
        return f"{config.storage_backend!r} is a package's; `memory-mcp status` says what it tells of itself"
    return inspection.look(config.sqlite_path, newest, seconds, read_only=config.read_only)
