"""Our entry in a client's file: the command that the client starts, or the address that it calls."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import urlsplit

from memory_mcp.domain.errors import SettingsError
from memory_mcp.provision.errors import ProvisionError

Entry = dict[str, object]

NAME: Final = "memory"
"""Our server's name in clients; they prefix the names of our tools with it."""

PROGRAM: Final = "memory-mcp"
NAMESPACE: Final = "MCP_MEMORY_NAMESPACE"

TOKEN: Final = "MEMORY_MCP_TOKEN"  # noqa: S105 - a variable's name
"""The variable with the bearer token, for clients that read their environment; for others, a placeholder for the token.
It does not begin with MCP_MEMORY_, because it is not a setting of the front."""

_ADDRESSES: Final = ("url", "httpUrl", "serverUrl")
_OURS_TO_SET: Final = frozenset(
    {"type", "source", "command", "args", "env", "headers", "bearer_token_env_var", "requestOptions", *_ADDRESSES}
)
_SWEPT: Final = frozenset({".cache", "Caches"})


@dataclass(frozen=True)
class Launch:
    """A front that the client starts itself."""

    command: str
    arguments: tuple[str, ...]
    namespace: str | None = None


@dataclass(frozen=True)
class Remote:
    """A front that runs elsewhere and serves HTTP."""

    url: str

    def __post_init__(self) -> None:
        with contextlib.suppress(ValueError):  # an invalid host
            parts = urlsplit(self.url)
            if parts.username or parts.password or parts.query:
                raise SettingsError(f"--http: the address must not contain a secret; put the token into {TOKEN}")
            if parts.scheme in {"http", "https"} and parts.hostname and parts.path not in {"", "/"}:
                return
        raise SettingsError(f"--http: {self.url} is not a complete address; give one like http://127.0.0.1:8765/mcp")


def launch(namespace: str | None = None, python: Path | None = None) -> Launch:
    """Return the command that starts this installation from any folder and with a minimal environment.

    Raises:
        ProvisionError: we run from a temporary cache (`uvx`, `pipx run`).
    """
    interpreter = (python or Path(sys.executable)).absolute()  # not resolved: in a virtual environment it is a link
    if _SWEPT & set(interpreter.parts):
        raise ProvisionError(
            f"this {PROGRAM} runs from a temporary cache ({interpreter.parent}); install it with "
            f"`pipx install {PROGRAM}` or `uv tool install {PROGRAM}`, then run this again from there"
        )
    script = interpreter.with_name(PROGRAM)
    if script.is_file():
        return Launch(str(script), ("serve",), namespace)
    # -P keeps the client's working folder off the import path; -I would also drop the user's own site-packages.
    return Launch(str(interpreter), ("-P", "-m", "memory_mcp", "serve"), namespace)


def is_ours(entry: Mapping[str, object]) -> bool:
    """Whether an entry starts us, or calls us with our token."""
    words = _words(entry)
    starts = any(PurePath(word).name == PROGRAM for word in words) or "memory_mcp" in words
    return starts or TOKEN in json.dumps(entry, default=str)


def _words(entry: Mapping[str, object]) -> list[str]:
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else ())]
    return [word for word in words if isinstance(word, str)]


def address(entry: Mapping[str, object]) -> str | None:
    """Return the address that an entry calls; empty if it starts a program."""
    return next((str(entry[key]) for key in _ADDRESSES if key in entry), None)


def merged(old: Entry, wanted: Entry) -> Entry:
    """Return the new entry with the members that the user added to the old one.

    An entry that already calls the wanted address stays as it is, because the user may have put a token into it.
    """
    if address(wanted) is not None and address(wanted) == address(old):
        return old
    entry = {key: value for key, value in old.items() if key not in _OURS_TO_SET} | wanted
    if "command" in wanted and (variables := {**_variables(old), **_variables(wanted)}):
        entry["env"] = variables
    return entry


def _variables(entry: Entry) -> dict[str, object]:
    variables = entry.get("env")
    return variables if isinstance(variables, dict) else {}
