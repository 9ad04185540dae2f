"""Says how to install what a store needs, where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memory_mcp.domain.errors import SettingsError


@contextmanager
def drivers() -> Iterator[None]:
    """Import a store.

    Raises:
        SettingsError: its driver is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"psycopg", "psycopg_pool"}:
            raise
        raise SettingsError(
            "MCP_MEMORY_STORAGE_BACKEND: the driver of the store `postgres` is not installed; "
            "pip install 'memory-mcp[postgres]'"
        ) from error
