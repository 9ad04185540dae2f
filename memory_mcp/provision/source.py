"""Locates our own packages and data files, in a checkout or in an installation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from memory_mcp.provision.errors import ProvisionError

PLIST: Final = "com.memory-mcp.embedder.plist"
UNIT: Final = "memory-mcp-embedder.service"
_FOLDERS: Final = {PLIST: "launchd", UNIT: "systemd"}


def package(name: str) -> Path:
    """Return the folder of one of our packages without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ProvisionError(f"the package {name} is missing; reinstall memory-mcp")
    return Path(places[0])


def checkout() -> Path | None:
    """Return the checkout's root; None if we were installed from a wheel."""
    root = package("embedder_daemon").parent
    return root if (root / "pyproject.toml").is_file() and (root / "protos" / "embedder_api").is_dir() else None


def requirements() -> Path:
    """Return the daemon's pinned requirements besides torch; the lock files are in the same folder."""
    return package("embedder_daemon") / "requirements.txt"


def golden() -> Path:
    """Return the file of golden vectors of the bundled model."""
    return package("embedder_daemon") / "engines" / "golden.json"


def golden_files() -> tuple[Path, ...]:
    """Return all files of golden vectors, one for each model that has a name of ours."""
    return golden(), golden().with_name("golden_multilingual.json")


def template(name: str) -> Path:
    """Return the template PLIST or UNIT: next to this module in a wheel, in its own folder in a checkout."""
    beside = Path(__file__).with_name(name)
    return beside if beside.is_file() else package("embedder_daemon").parent / _FOLDERS[name] / name
