"""The few settings that a hook needs, read without pydantic, which would take longer than everything else.

What is not plain is left to `settings`, which understands all of it and says what is wrong; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from memory_mcp.domain.names import nfc
from memory_mcp.domain.paths import followed
from memory_mcp.environment import OURS, expanded, of_front, own_folder

if TYPE_CHECKING:
    from memory_common.tls_files import TlsFiles

CONFIG: Final = "MCP_MEMORY_CONFIG"
_SWITCHES: Final = {"true": True, "false": False, "1": True, "0": False}
MAX_NAMESPACE: Final = 128
START_CHARS: Final = 4_000
PROMPT_CHARS: Final = 2_000
START_MS: Final = 1_000
PROMPT_MS: Final = 250
CHARS: Final = range(200, 9_501)
MILLISECONDS: Final = range(50, 60_001)


class HookSettings(NamedTuple):
    """What a hook is told by the settings."""

    sqlite_path: Path
    namespace: str = "default"
    embedder_address: str | None = None
    """None for the default one."""
    embedder_tls: TlsFiles | None = None
    """For daemons on a network, which no plain settings have."""
    hook_start_chars: int = START_CHARS
    hook_prompt_chars: int = PROMPT_CHARS
    hook_start_ms: int = START_MS
    hook_prompt_ms: int = PROMPT_MS
    hook_sources: bool = False
    is_plain: bool = True
    """Whether the store is the file `sqlite_path`."""
    postgres_url: str | None = None
    """The database that is the store, if one is."""
    encryption_key: str | None = None
    encryption_key_file: Path | None = None


class NotPlainError(Exception):
    """A setting that only `settings` understands, or refuses."""


def plain() -> HookSettings | None:
    """Return the settings, if they are plain."""
    try:
        return _quick(of_front())
    except (NotPlainError, ValueError, OSError):
        return None


def _quick(variables: Mapping[str, str]) -> HookSettings:
    if any(name != name.upper() for name in variables):
        raise NotPlainError
    given = _from_file(variables) | {
        name.removeprefix(OURS).lower(): value for name, value in variables.items() if name != CONFIG
    }
    if given.get("storage_backend", "sqlite_vec") != "sqlite_vec" or any(map(_is_tls, given)):
        raise NotPlainError
    namespace, address = _text(given, "namespace") or "default", _text(given, "embedder_address")
    if not namespace.strip() or len(namespace) > MAX_NAMESPACE or not (address or "unix:/").startswith("unix:/"):
        raise NotPlainError
    return HookSettings(
        sqlite_path=_store(_text(given, "sqlite_path")),
        namespace=nfc(namespace),
        embedder_address=address,
        hook_start_chars=_number(given, "hook_start_chars", START_CHARS, CHARS),
        hook_prompt_chars=_number(given, "hook_prompt_chars", PROMPT_CHARS, CHARS),
        hook_start_ms=_number(given, "hook_start_ms", START_MS, MILLISECONDS),
        hook_prompt_ms=_number(given, "hook_prompt_ms", PROMPT_MS, MILLISECONDS),
        hook_sources=_switch(given, "hook_sources"),
        encryption_key=_text(given, "encryption_key"),
        encryption_key_file=expanded(file) if (file := _text(given, "encryption_key_file")) else None,
    )


def _is_tls(name: str) -> bool:
    return name.startswith("embedder_tls_")


def _from_file(variables: Mapping[str, str]) -> dict[str, object]:
    if CONFIG in variables:
        file = expanded(variables[CONFIG])
        if not file.is_file():
            raise NotPlainError
    else:
        file = own_folder("config") / "config.toml"
        if not file.is_file():
            return {}
    import tomllib  # noqa: PLC0415 - only if there is a file

    return tomllib.loads(file.read_bytes().decode("utf-8-sig"))


def _store(named: str | None) -> Path:
    if named is None:
        return followed(own_folder("data") / "memory.db")
    if named.endswith("/"):
        raise NotPlainError
    return followed(expanded(named))


def _text(given: Mapping[str, object], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not (isinstance(value, str) and value):
        raise NotPlainError
    return value


def _number(given: Mapping[str, object], name: str, default: int, allowed: range) -> int:
    value = given.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or value not in allowed:
        raise NotPlainError
    return value


def _switch(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name, False)
    value = _SWITCHES.get(value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise NotPlainError
    return value


def whole() -> HookSettings:
    """Return the settings, plain or not.

    Raises:
        SettingsError: one is wrong.
    """
    from memory_mcp import settings  # noqa: PLC0415 - a tenth of a second, and more

    loaded = settings.load()
    return HookSettings(
        loaded.sqlite_path,
        loaded.namespace,
        loaded.embedder_address,
        settings.tls_files(loaded),
        loaded.hook_start_chars,
        loaded.hook_prompt_chars,
        loaded.hook_start_ms,
        loaded.hook_prompt_ms,
        loaded.hook_sources,
        is_plain=loaded.storage_backend == settings.SQLITE,
        postgres_url=loaded.postgres_url if loaded.storage_backend == settings.POSTGRES else None,
        encryption_key=loaded.encryption_key.get_secret_value() if loaded.encryption_key else None,
        encryption_key_file=loaded.encryption_key_file,
    )
