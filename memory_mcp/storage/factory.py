"""From the setting `storage_backend` to a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memory_mcp.domain.ports import Store
from memory_mcp.settings import Settings
from memory_mcp.storage.sqlite.repository import SqliteStore

STORES: Final[dict[str, Callable[[Settings], Store]]] = {
    "sqlite_vec": lambda settings: SqliteStore(settings.sqlite_path),
}


def make_store(settings: Settings) -> Store:
    """Return the store that the settings name; it opens its file at the first call."""
    return STORES[settings.storage_backend](settings)
