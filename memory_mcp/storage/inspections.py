"""Doctor's view of the store that the settings name: what looks at it is imported for doctor alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from memory_mcp.domain.models import Space, Written
from memory_mcp.health.registry import Registry
from memory_mcp.settings import POSTGRES, SQLITE, Settings
from memory_mcp.storage.drivers import drivers
from memory_mcp.storage.keys import RememberedKeys, key_place, remembered


def no_file(settings: Settings) -> str:
    """Return why the checks of the store's file are skipped; empty if they are not."""
    if settings.storage_backend == SQLITE:
        return ""
    return f"the store {settings.storage_backend!r} is not a SQLite file; `memory-mcp status` shows what it reports"


def register(
    registry: Registry, settings: Settings, folder: Path, newest: Callable[[], Path | None], verify_s: float | None
) -> None:
    """Register the checks of where the store lies.

    Args:
        registry: gets them.
        settings: name the store.
        folder: of the backups.
        newest: finds the newest backup.
        verify_s: the time limit of verifying, if it differs.
    """
    if (url := _database(settings)) is not None:
        with drivers():
            from memory_mcp.storage.postgres.maintenance import inspection as of_database  # noqa: PLC0415 - see above

        of_database.register(registry, url, read_only=settings.read_only)
        return
    from memory_mcp.storage import disk  # noqa: PLC0415 - likewise
    from memory_mcp.storage.sqlite.maintenance import inspection  # noqa: PLC0415 - likewise

    path, read_only, skip = settings.sqlite_path, settings.read_only, no_file(settings)
    disk.register(registry, path, (path.parent, folder), read_only=read_only, skip=skip)
    inspection.register(registry, path, newest, _keys(settings), read_only=read_only, verify_s=verify_s, skip=skip)


def written(settings: Settings, seconds: float) -> Written | None:
    """Return when the store was last written; None if it never was.

    Raises:
        StoreError: it cannot be read.
    """
    if (url := _database(settings)) is not None:
        with drivers():
            from memory_mcp.storage.postgres.maintenance import inspection as of_database  # noqa: PLC0415 - see above

        return of_database.written(url, seconds)
    from memory_mcp.storage.sqlite.maintenance import inspection  # noqa: PLC0415 - likewise

    return inspection.written(settings.sqlite_path, seconds, keys=_keys(settings), read_only=settings.read_only)


def expected_space(settings: Settings) -> Callable[[float], Space | None]:
    """Return what tells, within some seconds, the space of the store's vectors."""
    if (url := _database(settings)) is not None:
        with drivers():
            from memory_mcp.storage.postgres.maintenance import inspection as of_database  # noqa: PLC0415 - see above

        return partial(of_database.space, url)
    from memory_mcp.storage.sqlite.maintenance import inspection  # noqa: PLC0415 - likewise

    return partial(inspection.space, settings.sqlite_path, keys=_keys(settings), read_only=settings.read_only)


def _keys(settings: Settings) -> RememberedKeys:
    return remembered(key_place(settings))


def _database(settings: Settings) -> str | None:
    return settings.postgres_url if settings.storage_backend == POSTGRES else None
