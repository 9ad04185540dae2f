"""Diagnoses the daemon's environment and names the command that fixes it, for `daemon status` and `doctor`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from memory_mcp.domain.models import Finding
from memory_mcp.provision import code, installed, source
from memory_mcp.provision.environment import HOMEBREW
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner
from memory_mcp.provision.recipe import Recipe, pins_digest
from memory_mcp.provision.service import Service
from memory_mcp.provision.versions import Environment, Versions

# Finds torch without importing it, which would take seconds.
_PROBE: Final = """
import importlib.metadata as metadata, importlib.util as util, json, platform
torch = util.find_spec("torch")
told = (metadata.version("torch"), torch.origin) if torch else ("", "")
print(json.dumps([platform.python_version(), *told]))
"""
_RUN: Final = ": run `"
"""Precedes the command in the daemon's own sentences."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and the command that fixes it."""

    state: str
    cause: str
    fix: str

    def __str__(self) -> str:
        """Return both as one sentence."""
        return f"{self.cause}: run `{self.fix}`"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a working environment reports about itself."""

    python: str
    torch: str
    """Its version."""
    folder: Path
    """Where torch lies."""


def look(versions: Versions, service: Service | None, runner: Runner) -> Interpreter | Trouble:
    """Describe the environment in use, or what is wrong with it; runs short programs with its Python."""
    install, environment = installed.install_command(versions), versions.current()
    if environment is None or not environment.python.exists():
        return Trouble("missing", installed.missing(versions), install)
    if "environment" not in environment.stamp():
        return Trouble("unfinished", f"the build of {versions.place} was not finished", install)
    try:
        python, torch, origin = json.loads(runner.output(str(environment.python), "-I", "-c", _PROBE))
        moved = _moved(environment, runner)
    except (ProvisionError, ValueError) as error:
        return Trouble("broken", f"{environment.python} does not work: {error}", install)
    if moved:
        return Trouble("old", moved, install)
    if not torch:
        return Trouble("without torch", f"{versions.place} has no torch", install)
    return of_another(versions, service) or Interpreter(python, torch, Path(origin).parent)


def _moved(environment: Environment, runner: Runner) -> str:
    """Describe what `brew upgrade` did to a reused PyTorch; None if it still fits."""
    if not (environment.folder / HOMEBREW).is_file():
        return ""
    told = runner.output(str(environment.python), "-I", "-m", "embedder_daemon.runtime.homebrew_check").strip()
    return told.rpartition(_RUN)[0]


def of_another(versions: Versions, service: Service | None) -> Trouble | None:
    """Describe an environment that belongs to another memory-mcp than this one; None if it is this one's."""
    environment, install = versions.current(), installed.install_command(versions)
    stamp = environment.stamp() if environment else {}
    if stamp.get(installed.CHOSEN_BY) == code.key():
        return None
    is_ours = stamp.get("code") == code.key()
    if source.checkout():
        return (
            None if is_ours else Trouble("old", f"{versions.place} has the daemon's code from another place", install)
        )
    if stamp.get("pins") != pins_digest(Recipe()):
        return Trouble("old", "the daemon's environment was built for another memory-mcp", install)
    if not is_ours:
        return Trouble("old", "the daemon belongs to another memory-mcp", installed.restart_command(versions, service))
    return None


def fitted(finding: Finding, versions: Versions, service: Service | None) -> Finding:
    """Return a client's finding with the commands for this place instead of the general ones.

    Args:
        finding: from the client, which knows neither the environment's folder nor what starts the daemon.
        versions: the place.
        service: the supervisor, if there is one.
    """
    install, another = installed.install_command(versions), of_another(versions, service)
    only_install = versions.current() is None or (another is not None and another.fix == install)
    if only_install and finding.state == "unreachable":
        return replace(finding, fix=install)
    commands = {
        "start": installed.start_command(versions, service),
        "restart": install if only_install else installed.restart_command(versions, service),
        "install": install,
    }
    cause, fix = finding.cause, finding.fix
    for verb, command in commands.items():
        general, special = f"`memory-mcp daemon {verb}`", f"`{command}`"
        cause, fix = cause.replace(general, special), fix.replace(general, special)
    if not installed.is_registered(service):
        fix = fix.replace("(`memory-mcp daemon logs`)", "(in the terminal that it was started from)")
    return replace(finding, cause=cause, fix=fix)
