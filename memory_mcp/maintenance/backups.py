"""Daily backups: when one is due, its name, and which to keep."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from memory_mcp.domain.checks import READ_ONLY, skipped
from memory_mcp.domain.errors import NotFoundError, StoreError, cut
from memory_mcp.domain.models import Condition, Finding, Written
from memory_mcp.domain.ports import Changes, SupportsBackup
from memory_mcp.health.registry import Registry
from memory_mcp.storage.disk import new_file

DAILY: Final = 7
WEEKLY: Final = 4
EVERY: Final = timedelta(days=1)
LATE: Final = 2 * EVERY
ASIDE: Final = timedelta(days=30)
"""How long a replaced store is kept after a restore: as long as a deleted memory."""
TAKE: Final = "run memory-mcp backup, or let a client run for a few minutes: it makes one every day"

NOT_HERE: Final = (
    "no daily backup is made here: set MCP_MEMORY_BACKUP_FOLDER on one machine, or use the database's own tools"
)
NO_COPIES: Final = "this store cannot be copied to a file"
EXPORT: Final = ".jsonl"
_NAME: Final = re.compile(r"memories-(\d{8}T\d{6})Z-(\d+)(?:-\d+)?\.(?:db|dump|jsonl)")
_ASIDE_NAME: Final = re.compile(r"before-restore-(\d{8}T\d{6})Z(?:-\d+)?\.db")
_MOMENT: Final = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True, order=True)
class BackupFile:
    """An existing backup."""

    moment: datetime
    generation: int
    """The store's generation at that moment."""
    path: Path


class ExportFiles(Protocol):
    """Exports, which are the backups of a store that cannot be copied to a file."""

    async def write(self, file: BinaryIO) -> None:
        """Write everything but vectors.

        Raises:
            OSError: the file cannot be written.
            StoreError: the store cannot be read.
        """
        ...

    async def verify(self, source: Path) -> list[str]:
        """Return one sentence for the first thing that is wrong with an export.

        Raises:
            StoreError: it cannot be read.
        """
        ...


class Backups:
    """The backups of one store in one folder."""

    def __init__(
        self,
        store: Changes,
        folder: Path,
        clock: Callable[[], float] = time.time,
        exports: ExportFiles | None = None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._exports = exports

    def held(self) -> list[BackupFile]:
        """Return the existing backups, newest first."""
        return held_in(self._folder)

    async def take(self, target: Path | None = None) -> Path:
        """Write a backup to the folder, or to `target`, and return its path.

        Raises:
            StoreError: reading, writing or verification failed.
        """
        suffix = await self._store.copies_as() if isinstance(self._store, SupportsBackup) else None
        stem = f"memories-{self._now():{_MOMENT}}Z-{await self._store.generation()}"
        path = target or self._free(stem, suffix or EXPORT)
        if suffix is None and self._exports is not None:
            with new_file(path) as file:
                await self._exports.write(file)
        else:
            await self._copying().backup(path)
        return path

    async def are_exports(self) -> str:
        """Return why backups are exports, without vectors; empty where they are copies.

        Raises:
            StoreError: the store cannot be asked.
        """
        return await self._store.makes_no_copies() if isinstance(self._store, SupportsBackup) else NO_COPIES

    async def restore(self, source: Path) -> Path | None:
        """Replace the store with a backup; return the path of the old store's copy, None if there was no store.

        Raises:
            StoreError: it is not a backup, or is damaged; nothing was changed.
        """
        aside = self._free(f"before-restore-{self._now():{_MOMENT}}Z", ".db")
        await self._copying().restore(source, aside)
        return aside if aside.exists() else None

    async def verify(self, name: str) -> list[str]:
        """Return one sentence for each inconsistency of a backup in the folder, by the name of its file.

        Raises:
            NotFoundError: the folder holds no backup of this name.
            StoreError: it cannot be read.
        """
        held = next((held for held in self.held() if held.path.name == name), None)
        if held is None:
            raise NotFoundError(
                f"there is no backup {cut(name)!r} in {self._folder}; it may have been replaced by a newer"
            )
        if held.path.suffix == EXPORT and self._exports is not None:
            return await self._exports.verify(held.path)
        return await self._copying().verify_backup(held.path)

    @property
    def are_possible(self) -> bool:
        """Whether the store can be copied to a file at all, or exported to one."""
        return self._exports is not None or isinstance(self._store, SupportsBackup)

    async def take_if_due(self) -> Path | None:
        """Write a backup if the last one is a day old and something was written since; then drop old ones.

        Nothing is due if the store does not support backups.

        Raises:
            StoreError: reading, writing or verification failed.
        """
        if not isinstance(self._store, SupportsBackup):
            return None
        last = next(iter(self._past()), None)
        is_young = last is not None and self._now() - last.moment < EVERY
        if is_young or await self._store.generation() == (last.generation if last else 0):
            return None
        path = await self.take()
        self._prune()
        return path

    def _copying(self) -> SupportsBackup:
        if isinstance(self._store, SupportsBackup):
            return self._store
        raise StoreError(f"{NO_COPIES}; back it up with the tools of its database")

    def _free(self, stem: str, suffix: str) -> Path:
        """Return a free name: there may be another of the same second."""
        names = chain([f"{stem}{suffix}"], (f"{stem}-{number}{suffix}" for number in count(2)))
        return next(path for path in map(self._folder.joinpath, names) if not path.exists())

    def _prune(self) -> None:
        backups = self._past()
        kept = to_keep(backup.moment for backup in backups)
        for backup in backups:
            if backup.moment not in kept:
                backup.path.unlink(missing_ok=True)
        asides = sorted((_moment(name), path) for path, name in _files_named(self._folder, _ASIDE_NAME))
        for moment, path in asides[:-1]:  # keep the latest
            if self._now() - moment > ASIDE:
                path.unlink(missing_ok=True)

    def _past(self) -> list[BackupFile]:
        """Return the backups not dated in the future, newest first."""
        return [backup for backup in self.held() if backup.moment <= self._now()]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def held_in(folder: Path) -> list[BackupFile]:
    """Return the backups of a folder, newest first."""
    return sorted(
        (BackupFile(_moment(name), int(name[2]), path) for path, name in _files_named(folder, _NAME)), reverse=True
    )


def newest_in(folder: Path) -> Path | None:
    """Return the newest backup of a folder."""
    return next((held.path for held in held_in(folder)), None)


def register(
    registry: Registry,
    folder: Path,
    written: Callable[[float], Written | None],
    *,
    enabled: bool,
    read_only: bool,
    skip: str = "",
) -> None:
    """Register the check of the backups in a folder; `written` returns the store's last write within some seconds."""
    skip = skip if enabled else "backups are off: MCP_MEMORY_BACKUP_ENABLED"
    registry.add_blocking(
        "backups",
        lambda seconds: age(folder, written(seconds), datetime.now(UTC)),
        needs=("store",),
        skip=READ_ONLY if read_only else skip,
    )


def age(folder: Path, written: Written | None, now: datetime) -> Finding:
    """Return the newest backup's age; it is overdue two days after the first write that it lacks."""
    if written is None:
        return skipped("there is nothing to back up")
    newest = next((held for held in held_in(folder) if held.moment <= now), None)
    if newest is None:
        if now - written.first < LATE:
            return Finding(
                Condition.OK, "none", detail="none yet: the store is new, and a client makes the first backup"
            )
        return Finding(Condition.DEGRADED, "none", f"there is no backup in {folder}", TAKE)
    days = (now - newest.moment) / timedelta(days=1)
    old = f"{days:.1f} days" if days >= 1 else f"{days * 24:.0f} hours"
    message = f"the newest backup is {old} old: {newest.path}"
    if now - newest.moment < LATE or newest.generation >= written.generation:
        return Finding(Condition.OK, "held", detail=message)
    cause = f"{message}; {written.generation - newest.generation} writes are not in it"
    return Finding(Condition.DEGRADED, "old", cause, TAKE)


def _files_named(folder: Path, name: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield the files in a folder that match a name."""
    for path in folder.glob("*Z*.*"):
        if match := name.fullmatch(path.name):
            yield path, match


def _moment(name: re.Match[str]) -> datetime:
    return datetime.strptime(name[1], _MOMENT).replace(tzinfo=UTC)


def to_keep(moments: Iterable[datetime]) -> set[datetime]:
    """Return the last moment of each of the latest 7 days and 4 weeks that have one."""
    newest_first = sorted(moments, reverse=True)
    days: dict[object, datetime] = {}
    weeks: dict[object, datetime] = {}
    for moment in newest_first:
        days.setdefault(moment.date(), moment)
        weeks.setdefault(moment.isocalendar()[:2], moment)
    return {*list(days.values())[:DAILY], *list(weeks.values())[:WEEKLY]}
