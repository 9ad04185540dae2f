"""Chooses the interpreter that the daemon's environment is built on.

In this order: the one that the user names, Homebrew's PyTorch where there is one, the front's own Python.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memory_mcp.domain.errors import SettingsError
from memory_mcp.provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory_mcp.provision.process import Runner

OLDEST: Final = (3, 11)

# Where `brew` is when the PATH does not say so: launchd, cron and clients start programs with a bare one.
USUAL_BREWS: Final = (
    Path("/opt/homebrew/bin/brew"),
    Path("/usr/local/bin/brew"),
    Path("/home/linuxbrew/.linuxbrew/bin/brew"),
)

BREW_INSTALL: Final = "run `brew install pytorch` and `brew install python@3.14`"

_PROBE: Final = """
import importlib.util, json, sys
print(json.dumps({
    "version": sys.version_info[:3],
    "venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
}))
"""


@dataclass(frozen=True)
class Homebrew:
    """A PyTorch of Homebrew's and the interpreter that it was built for."""

    prefix: Path
    python: Path
    site_packages: Path
    torch: str
    """torch's version."""


@dataclass(frozen=True)
class Choice:
    """The interpreter to build on, and why."""

    python: Path
    version: str
    homebrew: Homebrew | None
    """Set when Homebrew's torch is reused."""
    steps: tuple[str, ...] = field(compare=False)
    """One sentence for each step that was considered."""


class HomebrewMissingError(ProvisionError):
    """Homebrew's PyTorch cannot be had; the message says what is missing."""


def choose(explicit: Path | None, *, use_homebrew: bool | None, runner: Runner, brew: Path | None = None) -> Choice:
    """Choose the interpreter; `brew` is Homebrew's command where it is not on the PATH.

    Raises:
        SettingsError: an interpreter is named although Homebrew's is demanded.
        ProvisionError: no fitting interpreter, or Homebrew's PyTorch is demanded and cannot be had.
    """
    if explicit is not None:
        if use_homebrew:
            raise SettingsError(
                f"EMBEDDER_PYTHON or --python names {explicit}, but MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 demands "
                "Homebrew's; unset one of them"
            )
        return _choice(_named(explicit), runner, f"{explicit} was named by EMBEDDER_PYTHON or --python")
    found, reason = _consider_homebrew(use_homebrew, runner, brew)
    if found is not None:
        return _choice(found.python, runner, reason, homebrew=found)
    if (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        raise ProvisionError(
            f"there is no PyTorch for Macs with an Intel processor but Homebrew's: {_with_command(reason)}"
        )
    return _choice(
        own_interpreter(),
        runner,
        reason,
        "the environment is built on the Python that runs memory-mcp, with a PyTorch of its own",
    )


def own_interpreter() -> Path:
    """Return the interpreter beneath the virtual environment that we may run in.

    An environment made from another environment's link breaks when that one is deleted.
    """
    beneath = Path(getattr(sys, "_base_executable", None) or sys.executable)
    if beneath.exists():
        return beneath
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def find_homebrew(runner: Runner, brew: Path | None = None) -> Homebrew:
    """Find Homebrew's PyTorch.

    Raises:
        HomebrewMissingError: there is none that works; the message says what is missing.
    """
    prefix = _prefix(runner, brew)
    formula = prefix / "opt" / "pytorch"
    if not formula.exists():
        raise HomebrewMissingError(f"Homebrew in {prefix} has no PyTorch{_unless_bottled(runner, prefix)}")
    for version, site_packages, torch in _torches(formula):
        # libexec/bin/python dangles until that Python is installed, so the Python is looked up by its own name.
        python = prefix / "opt" / f"python@{version}" / "bin" / f"python{version}"
        if python.exists():
            return Homebrew(prefix, python, site_packages, torch)
        raise HomebrewMissingError(
            f"Homebrew's PyTorch {torch} is built for Python {version}, which is not there: "
            f"run `brew install python@{version}`"
        )
    raise HomebrewMissingError(f"there is no torch in {formula}/libexec: run `brew reinstall pytorch`")


def _named(explicit: Path) -> Path:
    """Return the absolute path of a path or of a command on the PATH; links are kept, they may be the point."""
    found = shutil.which(explicit.expanduser())
    if found is None:
        raise ProvisionError(f"there is no program {explicit}; name a Python with EMBEDDER_PYTHON or --python")
    return Path(found).absolute()


def _consider_homebrew(
    demanded: bool | None,  # noqa: FBT001 – a setting of three values
    runner: Runner,
    brew: Path | None,
) -> tuple[Homebrew | None, str]:
    if demanded is False:
        return None, "Homebrew's PyTorch is forbidden by MCP_MEMORY_USE_HOMEBREW_PYTORCH=0"
    try:
        found = find_homebrew(runner, brew)
    except HomebrewMissingError as error:
        if demanded:
            raise ProvisionError(
                f"MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 demands Homebrew's PyTorch, but {_with_command(error)}"
            ) from error
        return None, f"Homebrew's PyTorch is passed over: {error}"
    return found, f"Homebrew's PyTorch {found.torch} in {found.prefix} is reused"


def _with_command(told: object) -> str:
    """Append what to run, unless the sentence names a command: its own fits better."""
    return str(told) if "run `brew " in str(told) else f"{told}; {BREW_INSTALL}"


def _prefix(runner: Runner, brew: Path | None) -> Path:
    command = brew or _find_brew()
    if command is None:
        raise HomebrewMissingError("Homebrew is not installed")
    try:
        return Path(runner.output(str(command), "--prefix").strip())
    except ProvisionError as error:
        raise HomebrewMissingError(str(error)) from error


def _unless_bottled(runner: Runner, prefix: Path) -> str:
    """Say that `brew install pytorch` would compile for hours where Homebrew has no build for this machine."""
    try:
        about = json.loads(runner.output(str(prefix / "bin" / "brew"), "info", "--json=v2", "pytorch"))
        bottles = about["formulae"][0]["bottle"].get("stable", {}).get("files", {})
    except (ProvisionError, ValueError, LookupError, AttributeError):
        return ""  # not what `brew` is known to answer; the installation itself will tell
    if any(_fits(name) for name in bottles):
        return ""
    return f", and no build of it for {platform.machine()} ({sys.platform}): `brew install pytorch` compiles for hours"


def _fits(bottle: str) -> bool:
    """Whether a bottle (arm64_tahoe, sonoma, x86_64_linux, …) is for such a machine; Intel's Macs name none."""
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if sys.platform == "darwin":
        return not bottle.endswith("_linux") and bottle.startswith("arm64_") == (machine == "arm64")
    return bottle == f"{machine}_linux"


def _find_brew() -> Path | None:
    on_path = shutil.which("brew")
    if on_path:
        return Path(on_path)
    return next((path for path in USUAL_BREWS if path.exists()), None)


def _torches(formula: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield Python's version, the folder and torch's version, newest Python first."""
    folders = (formula / "libexec" / "lib").glob("python3.*")
    for folder in sorted(folders, key=lambda path: int(path.name.rpartition(".")[2]), reverse=True):
        site_packages = folder / "site-packages"
        for distribution in metadata.distributions(name="torch", path=[str(site_packages)]):
            yield folder.name.removeprefix("python"), site_packages, distribution.version


def _choice(python: Path, runner: Runner, *steps: str, homebrew: Homebrew | None = None) -> Choice:
    try:
        facts = json.loads(runner.output(str(python), "-I", "-c", _PROBE))
    except (ValueError, ProvisionError) as error:
        raise ProvisionError(f"{python} is no Python that works; name one with EMBEDDER_PYTHON or --python") from error
    version = ".".join(str(part) for part in facts["version"])
    if tuple(facts["version"]) < OLDEST:
        raise ProvisionError(f"{python} is Python {version}; name one of 3.11 or newer with EMBEDDER_PYTHON")
    if not facts["venv"]:
        raise ProvisionError(
            f"{python} cannot make virtual environments (venv or ensurepip is missing; Debian has them in "
            "python3-venv); install them or name another Python with EMBEDDER_PYTHON"
        )
    return Choice(python, version, homebrew, steps)
