"""Chooses the interpreter that the daemon's environment is built on.

In order of preference: the one that the user names, the Python of Homebrew's PyTorch, the front's own Python.
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

# Where `brew` may be if it is not on the PATH: launchd, cron and clients start programs with a minimal PATH.
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
    """Homebrew's PyTorch and the interpreter that it was built for."""

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
    """One sentence for each option that was considered."""


class HomebrewMissingError(ProvisionError):
    """Homebrew's PyTorch cannot be used; the message says what is missing."""


def choose(explicit: Path | None, *, use_homebrew: bool | None, runner: Runner, brew: Path | None = None) -> Choice:
    """Choose the interpreter; `brew` is the path of Homebrew's command if it is not on the PATH.

    Raises:
        SettingsError: the settings both name an interpreter and require Homebrew's.
        ProvisionError: no interpreter fits, or Homebrew's PyTorch is required and cannot be used.
    """
    if explicit is not None:
        if use_homebrew:
            raise SettingsError(
                f"EMBEDDER_PYTHON or --python names {explicit}, but MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 requires "
                "Homebrew's; unset one of them"
            )
        return _choice(_named(explicit), runner, f"using {explicit}, as EMBEDDER_PYTHON or --python says")
    found, reason = _consider_homebrew(use_homebrew, runner, brew)
    if found is not None:
        return _choice(found.python, runner, reason, homebrew=found)
    if (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        raise ProvisionError(f"on Intel Macs only Homebrew has a PyTorch: {_with_command(reason)}")
    return _choice(
        own_interpreter(),
        runner,
        reason,
        "building the environment on the Python that runs memory-mcp, with its own PyTorch",
    )


def own_interpreter() -> Path:
    """Return the base interpreter of the virtual environment that we may run in.

    An environment built on another environment's link breaks when that one is deleted.
    """
    beneath = Path(getattr(sys, "_base_executable", None) or sys.executable)
    if beneath.exists():
        return beneath
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def find_homebrew(runner: Runner, brew: Path | None = None) -> Homebrew:
    """Find Homebrew's PyTorch.

    Raises:
        HomebrewMissingError: none works; the message says what is missing.
    """
    prefix = _prefix(runner, brew)
    formula = prefix / "opt" / "pytorch"
    if not formula.exists():
        raise HomebrewMissingError(f"Homebrew in {prefix} has no PyTorch{_unless_bottled(runner, prefix)}")
    for version, site_packages, torch in _torches(formula):
        # libexec/bin/python dangles until that Python is installed, so look the Python up by its own name.
        python = prefix / "opt" / f"python@{version}" / "bin" / f"python{version}"
        if python.exists():
            return Homebrew(prefix, python, site_packages, torch)
        raise HomebrewMissingError(
            f"Homebrew's PyTorch {torch} needs Python {version}, which is not installed: "
            f"run `brew install python@{version}`"
        )
    raise HomebrewMissingError(f"{formula}/libexec has no torch: run `brew reinstall pytorch`")


def _named(explicit: Path) -> Path:
    """Return the absolute path of a path or of a command on the PATH; links may be intended and are not resolved."""
    found = shutil.which(explicit.expanduser())
    if found is None:
        raise ProvisionError(f"there is no program {explicit}; choose a Python with EMBEDDER_PYTHON or --python")
    return Path(found).absolute()


def _consider_homebrew(
    demanded: bool | None,  # noqa: FBT001 – a setting of three values
    runner: Runner,
    brew: Path | None,
) -> tuple[Homebrew | None, str]:
    if demanded is False:
        return None, "not using Homebrew's PyTorch, as MCP_MEMORY_USE_HOMEBREW_PYTORCH=0 says"
    try:
        found = find_homebrew(runner, brew)
    except HomebrewMissingError as error:
        if demanded:
            raise ProvisionError(
                f"MCP_MEMORY_USE_HOMEBREW_PYTORCH=1 requires Homebrew's PyTorch, but {_with_command(error)}"
            ) from error
        return None, f"not using Homebrew's PyTorch: {error}"
    return found, f"reusing Homebrew's PyTorch {found.torch} in {found.prefix}"


def _with_command(told: object) -> str:
    """Append the general commands, unless the sentence already names a more specific one."""
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
    """Warn if Homebrew has no bottle for this machine, so that `brew install pytorch` would compile for hours."""
    try:
        about = json.loads(runner.output(str(prefix / "bin" / "brew"), "info", "--json=v2", "pytorch"))
        bottles = about["formulae"][0]["bottle"].get("stable", {}).get("files", {})
    except (ProvisionError, ValueError, LookupError, AttributeError):
        return ""  # `brew` answered something unknown; the installation itself will report it
    if any(_fits(name) for name in bottles):
        return ""
    return f", and no bottle for {platform.machine()} ({sys.platform}): `brew install pytorch` would compile for hours"


def _fits(bottle: str) -> bool:
    """Whether a bottle (arm64_tahoe, sonoma, x86_64_linux, …) fits a machine; those for Intel Macs name none."""
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
        raise ProvisionError(
            f"{python} is not a working Python; choose another with EMBEDDER_PYTHON or --python"
        ) from error
    version = ".".join(str(part) for part in facts["version"])
    if tuple(facts["version"]) < OLDEST:
        raise ProvisionError(f"{python} is Python {version}; choose Python 3.11 or newer with EMBEDDER_PYTHON")
    if not facts["venv"]:
        raise ProvisionError(
            f"{python} cannot create virtual environments (venv or ensurepip is missing; on Debian, install "
            "python3-venv); install them, or choose another Python with EMBEDDER_PYTHON"
        )
    return Choice(python, version, homebrew, steps)
