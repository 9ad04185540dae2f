"""Where our own code and files are: in a checkout, or beside us in an installation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from memory_mcp.provision.errors import ProvisionError

PLIST: Final = "com.memory-mcp.embedder.plist"


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
    """Return the pinned list of what the daemon needs beside torch."""
    return package("embedder_daemon") / "requirements.txt"


def golden() -> Path:
    """Return the vectors that the bundled model has to give for some texts."""
    return package("embedder_daemon") / "engines" / "golden.json"


def plist_template() -> Path:
    """Return the LaunchAgent's template: a wheel has it beside us, a checkout in `launchd/`."""
    beside = Path(__file__).with_name(PLIST)
    return beside if beside.is_file() else package("embedder_daemon").parent / "launchd" / PLIST
