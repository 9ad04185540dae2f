"""Keeps one watched folder current: queues jobs for what changes in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from memory_mcp.background import Background
from memory_mcp.documents.file_events import (
    FileEvents,
    FolderGoneError,
    FolderIdentity,
    NotWatchedError,
    identity,
    network_type,
    reason_to_poll,
)
from memory_mcp.documents.ingesting import Ingesting, IngestRequest
from memory_mcp.documents.readers.model import RefusedError
from memory_mcp.domain.documents import BY_WATCH, FileStamp, Watch
from memory_mcp.domain.jobs import MAX_JOB_FILES, IngestJob, JobState
from memory_mcp.domain.ports import DocumentStore
from memory_mcp.domain.principal import Reach
from memory_mcp.logger import Logger

if TYPE_CHECKING:
    from memory_mcp.documents.walking import SeenBelow

RETRY_S: Final = 5.0
"""Seconds until a folder that is gone is looked for again."""
LONG_RETRY_S: Final = 300.0
"""Likewise where somebody has to do something first."""
AT_ONCE: Final = 256
"""Changed paths that are looked at one by one; with more, events may have been lost, and all is looked at."""
DOCTOR: Final = "run memory-mcp doctor"
EXTRA: Final = "pip install 'memory-mcp[documents]'"
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class NotCurrent:
    """Why a folder is not kept current."""

    cause: str
    fix: str


def is_gone(watch: Watch, cause: str) -> NotCurrent:
    """Return that a folder is not there."""
    return NotCurrent(cause, f"mount it or put it back; or stop watching it: memory-mcp documents remove {watch.id}")


def is_forbidden(watch: Watch) -> NotCurrent:
    """Return that a client's folder may not be watched any more."""
    return NotCurrent(
        "a client asked for it, and clients may not have folders watched now",
        f"set MCP_MEMORY_INGEST_WATCH=1; or stop watching it: memory-mcp documents remove {watch.id}",
    )


class NotReadError(Exception):
    """The files of the folder cannot be read."""


class KeptFolder:
    """A watched folder."""

    def __init__(self, watch: Watch, store: DocumentStore, ingesting: Ingesting, *, retry_s: float = RETRY_S) -> None:
        self.watch = watch
        self.trouble: NotCurrent | None = None
        self.polling = ""
        """Why its files are looked at again and again; empty if the system tells what changes."""
        self.background = Background("watching a folder")
        self._root = Path(watch.path)
        self._root_is: FolderIdentity = (0, 0)
        self._had_files = False
        """Whether there were files since it is what it is: then an empty folder is not an unmounted one."""
        self._store = store
        self._ingesting = ingesting
        self._retry_s = retry_s
        self._request = IngestRequest(watch.namespace, watch.tags, f"{BY_WATCH}{watch.id}", (self._root,))

    async def run(self) -> None:
        """Keep it current until cancelled."""
        await self.background.run(self._rounds)

    async def _rounds(self) -> None:
        while True:
            retry_s = LONG_RETRY_S
            try:
                await self._keep()
            except (FolderGoneError, RefusedError) as error:
                retry_s = self._retry_s
                self._say(is_gone(self.watch, error.sentence if isinstance(error, RefusedError) else str(error)))
            except NotReadError as error:
                self._say(NotCurrent(str(error), DOCTOR))
            except ModuleNotFoundError as error:
                self._say(NotCurrent(f"{error.name} is not installed", EXTRA))
            except NotWatchedError as error:
                if self.polling:
                    self._say(NotCurrent(f"it cannot be watched ({error})", DOCTOR))
                else:
                    retry_s, self.polling = 0, reason_to_poll(error)
            await asyncio.sleep(retry_s)

    def _say(self, trouble: NotCurrent) -> None:
        if trouble != self.trouble:
            log.warning("a watched folder is not kept current", watch=self.watch.id, cause=trouble.cause)
        self.trouble = trouble

    async def _keep(self) -> None:
        """Keep it current until something is wrong with it."""
        self._root_is, self._had_files = await asyncio.to_thread(identity, self._root), False
        if not self.polling and (kind := await asyncio.to_thread(network_type, self._root)):
            self.polling = f"it lies on a network file system ({kind})"
        while True:
            folders = (await self._walked(self._root)).folders
            async with FileEvents(self._root, folders, self._root_is, polling=bool(self.polling)) as events:
                if await self._look(self._root) == folders:  # else folders came or went meanwhile
                    self.trouble = None
                    await self._follow(events)

    async def _follow(self, events: FileEvents) -> None:
        """Follow changes of files, until everything must be looked at: folders are new, or rules have changed."""
        while True:
            changed = await events.changed()
            if len(changed) > AT_ONCE or await asyncio.to_thread(_changes_rules, changed):
                return
            for path in _topmost(changed):
                if await self._look(path):
                    return

    async def _walked(self, place: Path) -> SeenBelow:
        from memory_mcp.documents.walking import look  # noqa: PLC0415 - its library is an extra

        return await asyncio.to_thread(look, self._root, place)

    async def _look(self, place: Path) -> frozenset[Path]:
        """Queue what has changed at a place, mark what is gone, and return the folders there.

        Raises:
            FolderGoneError: the root is gone or seems to be; nothing is marked.
            NotReadError: the files cannot be read.
        """
        seen = await self._walked(place)
        known = await self._store.files(self.watch.namespace, place.as_uri())
        if await asyncio.to_thread(identity, self._root) != self._root_is:
            raise FolderGoneError(f"{self._root} was unmounted, moved or replaced")
        self._had_files |= bool(seen.files or seen.left_out)
        if place == self._root and known and seen.folders == {place} and not self._had_files:
            raise FolderGoneError(f"{place} is empty, but its documents are known: it may be unmounted")
        changed, gone = await asyncio.to_thread(_compared, seen, known)
        for start in range(0, len(changed), MAX_JOB_FILES):
            if await asyncio.to_thread(identity, self._root) != self._root_is:
                raise FolderGoneError(f"{self._root} was unmounted, moved or replaced")
            await self._read(changed[start : start + MAX_JOB_FILES])
        for uri in gone:
            await self._store.mark_missing(self.watch.namespace, uri, _EVER)
        return seen.folders

    async def _read(self, paths: Collection[Path]) -> None:
        """Read files, and wait for the end: what changes meanwhile is gathered for the next job."""
        job = await self._ingesting.ingest_paths(list(paths), self._request)
        job = await self._ingesting.finish(job.id, Reach(self.watch.namespace), _nothing)
        if job.state is JobState.FAILED:
            raise NotReadError(f"its files cannot be read: {job.error}")


async def _nothing(job: IngestJob) -> None:
    del job


def _changes_rules(changed: Iterable[Path]) -> bool:
    from memory_mcp.documents.walking import IGNORE_FILES  # noqa: PLC0415 - its library is an extra

    return any(path.name in IGNORE_FILES for path in changed)


def _topmost(paths: Collection[Path]) -> list[Path]:
    """Return the paths that lie below no other, in order."""
    return sorted(path for path in paths if not any(above in paths for above in path.parents))


def _compared(seen: SeenBelow, known: Mapping[str, FileStamp]) -> tuple[list[Path], list[str]]:
    """Return the files that are to be read, and the URIs of those that are gone."""
    changed, there = [], set()
    for file in seen.files:
        uri = file.path.as_uri()
        there.add(uri)
        before = known.get(uri)
        if file.size if before is None else (before.size, before.modified_ns) != (file.size, file.modified_ns):
            changed.append(file.path)
    left_out = {path.as_uri() for path in seen.left_out}
    gone = [uri for uri in known if uri not in there and left_out.isdisjoint(_and_above(uri))]
    return changed, gone


def _and_above(uri: str) -> Iterable[str]:
    """Yield a URI and those of the folders above it."""
    while uri:
        yield uri
        uri = os.path.dirname(uri)  # noqa: PTH120 - not a path, but cut like one
