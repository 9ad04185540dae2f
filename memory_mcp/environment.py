"""What the environment says for other programs: those that we start, and those whose files we find.

Our own settings are read in `settings`; no third module reads the environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, Literal

from memory_common.tracing import COLLECTOR_VARIABLE
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.paths import absolute

_FOLDERS = frozenset({"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"})
"""Folders of the daemon's settings file, cache and models; a service does not inherit these variables."""


def daemon_environment() -> dict[str, str]:
    """Return the daemon's settings in our environment, for the service to start it with."""
    ours = {"EMBEDDER_PYTHON", "EMBEDDER_ADDRESS", "EMBEDDER_LOG_FILE"}
    names = {name for name in os.environ if name.startswith("EMBEDDER_") and name not in ours}
    return {name: os.environ[name] for name in sorted(names | _FOLDERS & os.environ.keys()) if os.environ[name]}


HOP_VARIABLE: Final = "MCP_MEMORY_HOP"
"""Set where another memory-mcp started us as one of its sources, so that we do not ask it in turn."""
HOP_HEADER: Final = "mcp-memory-hop"
"""Its counterpart over HTTP."""


def is_source() -> bool:
    """Return whether another memory-mcp started us as a source."""
    return bool(os.environ.get(HOP_VARIABLE))


def secret(name: str) -> str | None:
    """Return what a section of a source calls `${env:NAME}`."""
    return os.environ.get(name)


def standard_collector() -> str:
    """Return the OpenTelemetry collector that all programs are told of; empty if there is none."""
    return os.environ.get(COLLECTOR_VARIABLE, "")


def time_zone() -> dict[str, str]:
    """Return the variable that names the user's time zone, where there is one."""
    return {"TZ": os.environ["TZ"]} if os.environ.get("TZ") else {}


OURS: Final = "MCP_MEMORY_"


def of_front() -> dict[str, str]:
    """Return the front's settings in our environment, for a program that has no time for `settings`."""
    return {name: value for name, value in os.environ.items() if name.upper().startswith(OURS)}


def of_tool(**more: str) -> dict[str, str]:
    """Return the environment of another system's tool that we run: all but our own settings, and what it is told."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(OURS)} | more


_FOLDERS_ON_LINUX: Final = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "state": ("XDG_STATE_HOME", ".local/state"),
}


def own_folder(kind: Literal["config", "data", "state"]) -> Path:
    """Return the folder that platformdirs names, without importing it (4 ms) where that is plain."""
    variable, below = _FOLDERS_ON_LINUX[kind]
    home = os.environ.get("HOME")
    if sys.platform == "linux" and home and not os.environ.get(variable):
        return Path(home) / below / "memory-mcp"
    import platformdirs  # noqa: PLC0415 - see above

    return Path(getattr(platformdirs, f"user_{kind}_dir")("memory-mcp"))


def expanded(path: str) -> Path:
    """Return a path of a setting as `settings` understands it.

    Raises:
        ValueError: it is not absolute, or names what is not there.
    """
    return absolute(path, os.environ)


_FOR_PYTHON: Final = ("PYTHON", "PIP_", "__PYVENV", "VIRTUAL_ENV")
_OF_KEYRING: Final = "PYTHON_KEYRING_"
"""Read by the keyring that holds an index's password, not by Python itself."""


def for_programs() -> dict[str, str]:
    """Return our environment without the variables that decide what a Python imports, or where and how pip installs."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_OF_KEYRING) or not name.startswith(_FOR_PYTHON)
    }


def of_pip() -> dict[str, str]:
    """Return pip's variables."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


def folders_of_others() -> dict[str, Path]:
    """Return the folders that other programs keep their files in, by the variable that names them.

    Raises:
        SettingsError: a variable's value is not an absolute path.
    """
    names = ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME")
    return {name: named_by(name) for name in names if os.environ.get(name)}


def named_by(variable_name: str) -> Path:
    """Return the path that a variable holds.

    Raises:
        SettingsError: it is not absolute.
    """
    try:
        return absolute(os.environ[variable_name], os.environ)
    except ValueError as error:
        raise SettingsError(f"{variable_name}: {error}") from error
