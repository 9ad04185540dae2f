"""Where our own code and files are: in a checkout, or beside us in an installation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from memory_mcp.provision.errors import ProvisionError

PLIST: Final = "com.memory-mcp.embedder.plist"
UNIT: Final = "memory-mcp-embedder.service"
_FOLDERS: Final = {PLIST: "launchd", UNIT: "systemd"}


def package(name: str) -> Path:
    """Return the folder of a package of ours, found without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ProvisionError(f"the package {name} is missing; install memory-mcp again")
    return Path(places[0])


def checkout() -> Path | None:
    """Return the checkout's root, or None when we were installed from a wheel."""
    root = package("embedder_daemon").parent
    return root if (root / "pyproject.toml").is_file() and (root / "protos" / "embedder_api").is_dir() else None


def requirements() -> Path:
    """Return the pinned list of what the daemon needs beside torch; the lock files lie beside it."""
    return package("embedder_daemon") / "requirements.txt"


def golden() -> Path:
    """Return the vectors that the bundled model has to give for some texts."""
    return package("embedder_daemon") / "engines" / "golden.json"


def template(name: str) -> Path:
    """Return the template of PLIST or UNIT: a wheel has it beside us, a checkout in a folder of its own."""
    beside = Path(__file__).with_name(name)
    return beside if beside.is_file() else package("embedder_daemon").parent / _FOLDERS[name] / name
