"""Secrets in a section: `${env:NAME}` and `${keychain:NAME}`, looked up when they are needed, and kept nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from memory_mcp.domain.sources import SourceError

SERVICE: Final = "memory-mcp"
"""The service under which the keychain keeps our secrets."""
_REFERENCE: Final = re.compile(r"\$\{(?P<place>[a-z]+):(?P<name>[^}]*)\}")

Fill = Callable[[str], str]
"""Returns a text with its secrets in place; the keychain may block, so call it in a thread. Raises SourceError."""
ReadVariable = Callable[[str], str | None]


def has_secret(text: str) -> bool:
    return bool(_REFERENCE.search(text))


def masked(text: str) -> str:
    """Return a text with the names of its secrets, for people."""
    return _REFERENCE.sub("***", text)


def filler(read_variable: ReadVariable) -> Fill:
    """Return what puts secrets in place of their names; `read_variable` reads the environment."""

    def look_up(match: re.Match[str]) -> str:
        place, name = match["place"], match["name"]
        if place == "env":
            if (value := read_variable(name)) is None:
                raise SourceError(
                    f"the environment variable {name} is not set",
                    f"set {name} in the environment that starts memory-mcp",
                )
            return value
        if place == "keychain":
            return _from_keychain(name)
        raise SourceError(
            f"${{{place}:…}} names no place for secrets", "write ${env:NAME} or ${keychain:NAME} in its section"
        )

    return lambda text: _REFERENCE.sub(look_up, text)


def _from_keychain(name: str) -> str:
    try:
        import keyring  # noqa: PLC0415 - optional, and only where a section names it
        from keyring.errors import KeyringError  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise SourceError(
            "its section names the keychain, but the package keyring is not installed",
            "install memory-mcp[keychain], or use ${env:NAME}",
        ) from error
    try:
        value = keyring.get_password(SERVICE, name)
    except KeyringError as error:
        raise SourceError(
            f"the keychain cannot be read ({type(error).__name__})", "unlock it, or use ${env:NAME}"
        ) from error
    if value is None:
        raise SourceError(f"the keychain has no secret {name}", f"run `keyring set {SERVICE} {name}`")
    return value
