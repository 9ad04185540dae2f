"""Creates the store that the setting `storage_backend` names: one of ours, or one from an installed package."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from memory_common import plugins
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import Store, Tokens
from memory_mcp.settings import POSTGRES, SQLITE, STORE_GROUP, STORES, Settings, postgres_url
from memory_mcp.storage.drivers import drivers

if TYPE_CHECKING:
    from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption

Make = Callable[[Settings], Store]
"""The function behind an entry point; returns a store that opens nothing before its first call."""


TOKEN_CONNECTIONS: Final = 2
"""To the database of the tokens, beside the store's own: a call is let in while all of those work."""


class MakeOurs(Protocol):
    """What `settings.STORES` names."""

    def __call__(self, settings: Settings, *, creates: bool) -> Store:
        """Return a store that opens nothing before its first call."""
        ...


def make_store(settings: Settings, *, creates: bool = True) -> Store:
    """Return the store that the settings name; it opens its file at the first call.

    Without `creates`, a missing file stays missing and reads as empty; a package's store may ignore this.

    Raises:
        SettingsError: a package uses a name that is taken, cannot be loaded, or its store lacks methods.
    """
    name = settings.storage_backend
    try:
        added = plugins.added(STORE_GROUP, STORES)
        if name in STORES:
            return _ours(name)(settings, creates=creates)
        return _whole(name, cast("Make", plugins.load(added[name]))(settings))
    except plugins.PluginError as error:
        raise SettingsError(f"MCP_MEMORY_STORAGE_BACKEND: {error}") from error


def _ours(name: str) -> MakeOurs:
    module, _, function = STORES[name].partition(":")
    with drivers():
        return cast("MakeOurs", getattr(import_module(module), function))


def make_tokens(settings: Settings) -> Tokens:
    """Return the bearer tokens of HTTP clients: in the store where several machines share it, else in a file.

    They are read at the first call.
    """
    if settings.storage_backend == POSTGRES:
        with drivers():
            return _shared_tokens(settings)
    from memory_mcp.storage.tokens import TokenFile  # noqa: PLC0415 - a front over stdio does not need it

    return TokenFile(settings.tokens_path)


def _shared_tokens(settings: Settings) -> Tokens:
    from memory_mcp.storage.postgres.db.connection import PostgresDatabase  # noqa: PLC0415 - where it is chosen
    from memory_mcp.storage.postgres.tokens import TokenTable  # noqa: PLC0415 - likewise

    return TokenTable(
        PostgresDatabase(postgres_url(settings), read_only=settings.read_only, connections=TOKEN_CONNECTIONS)
    )


def make_encryption(settings: Settings, folder: Path) -> Encryption:
    """Return what encrypts and decrypts the store's file and its backups in a folder.

    Raises:
        SettingsError: the store is not a file of ours.
    """
    if settings.storage_backend != SQLITE:
        raise SettingsError(
            f"the store {settings.storage_backend!r} is not a SQLite file; encrypt the disks of its database"
        )
    from memory_mcp.storage.keys import key_place  # noqa: PLC0415 - for two commands alone
    from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption  # noqa: PLC0415 - likewise

    return Encryption(settings.sqlite_path, folder, key_place(settings))


def keeps_derived(settings: Settings) -> bool:
    """Whether files may hold what was derived from the store's vectors: not beside an encrypted one."""
    if settings.storage_backend != SQLITE:
        return True
    from memory_mcp.storage.sqlite.db.encryption import is_encrypted  # noqa: PLC0415 - other stores have no SQLite

    return not is_encrypted(settings.sqlite_path)


def _whole(name: str, store: Store) -> Store:
    """Check that a package's store has every method: it may be written for another version."""
    lacking = [method for method in dir(Store) if not (method.startswith("_") or hasattr(store, method))]
    if lacking:
        raise plugins.PluginError(f"the store {name!r} lacks {', '.join(lacking)}; update the package that adds it")
    return store
