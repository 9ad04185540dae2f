"""The map of the memories: drawn in the background, read within a caller's reach."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Filters, Memory, MissedChanges
from memory_mcp.domain.ports import ChartedStore, Snapshot
from memory_mcp.logger import Logger
from memory_mcp.maintenance.leases import Lease
from memory_mcp.mapping import kept as files
from memory_mcp.mapping.drawing import Drawing
from memory_mcp.mapping.errors import MapError, NothingToDrawError
from memory_mcp.mapping.kept import KeptMap, StoreMark
from memory_mcp.mapping.points import Points, PointSets

LEASE: Final = "map"
LEASE_S: Final = 60.0
"""It is extended while the map is drawn; after `kill -9` another front begins again."""
EVERY_S: Final = 10.0
"""Seconds between two rounds of adding what is new."""
EVENTS: Final = 1_000
"""Writes read at once."""
READ_ONLY: Final = "there is no map yet, and this server only reads; open the page of one that writes to draw it"

Coloring = Literal["type", "tag", "namespace"]

log = Logger(__name__)


class MapState(StrEnum):
    """How far a map is."""

    MISSING = "missing"
    """There is none, or it was drawn of another model's vectors."""
    DRAWING = "drawing"
    ELSEWHERE = "elsewhere"
    """Another process draws it."""
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MapProgress:
    """How far a map is."""

    state: MapState
    share: float = 0.0
    cause: str = ""
    """Why it failed, with what fixes it."""


class Maps:
    """One store's map.

    Args:
        path: the file that keeps it.
        read_only: whether nothing may be written; the map is then the one that is there.
        keeps: tells whether the map may lie in a file; if not, each process draws its own.
    """

    def __init__(
        self,
        store: ChartedStore,
        lease: Lease,
        path: Path,
        *,
        read_only: bool = False,
        keeps: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lease = lease
        self._path = path
        self._read_only = read_only
        self._keeps = keeps
        self._clock = clock
        self._known: KeptMap | None = None
        self._stamp: tuple[int, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._progress = MapProgress(MapState.MISSING)
        """Of what this process draws, or drew last."""
        self._is_quiet = False
        """Whether only what is new is drawn, while the map is shown as it is."""
        self._drawn: tuple[int, float] | None = None
        """The store's generation when it was last drawn, and when that was."""
        self.sets = PointSets()

    async def current(self) -> KeptMap | None:
        """Return the map of the active space's vectors; None if there is none."""
        stamp = await asyncio.to_thread(self._look)
        if stamp != self._stamp:
            self._known = await asyncio.to_thread(files.read, self._path) if stamp else None
            self._stamp = stamp
        space = await self._store.read(lambda it: it.space(), is_short=True)
        if self._known is None or space is None or self._known.space_id != space.id:
            return None
        return self._known if await self._is_of(self._known.mark) else None

    async def _is_of(self, mark: StoreMark) -> bool:
        """Return whether a mark is this store's, as it is not after another one was restored over it."""
        found = await self._mark(mark.seq)
        return found is None or found == mark

    async def _mark(self, seq: int) -> StoreMark | None:
        """Return the mark of a write; None where it was pruned."""
        events = await self._store.events(seq - 1, 1)
        if isinstance(events, MissedChanges):
            return None
        return StoreMark(seq, hashlib.blake2b(repr(events[:1]).encode(), digest_size=16).hexdigest())

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    async def progress(self) -> MapProgress:
        """Return how far the map is."""
        drawing = self._progress
        if drawing.state is MapState.DRAWING and self._task and self._task.done():
            drawing = self._progress = MapProgress(MapState.FAILED, 0, self._unexpected(self._task))
        if drawing.state is MapState.FAILED or (drawing.state is MapState.DRAWING and not self._is_quiet):
            return drawing
        if await self.current():
            return MapProgress(MapState.READY, 1.0)
        return MapProgress(MapState.MISSING, 0, READ_ONLY) if self._read_only else drawing

    @staticmethod
    def _unexpected(task: asyncio.Task[None]) -> str:
        """Return that drawing failed as it never should; its error's text may quote anything."""
        kind = "CancelledError" if task.cancelled() else type(task.exception()).__name__
        return f"drawing the map failed ({kind}); draw it again, or report the bug"

    async def keep_up(self) -> None:
        """Draw what the map lacks, in the background, if there is anything new."""
        if self._is_busy or self._progress.state is MapState.FAILED:  # a failure waits for somebody to ask again
            return
        generation = await self._store.generation()
        if self._drawn is not None:
            drawn, at = self._drawn
            is_current = drawn == generation and self._progress.state is not MapState.ELSEWHERE
            if is_current or self._clock() - at < EVERY_S:
                return
        self._drawn = generation, self._clock()
        self.draw(anew=False)

    @property
    def _is_busy(self) -> bool:
        return self._read_only or (self._task is not None and not self._task.done())

    def draw(self, *, anew: bool) -> None:
        """Begin to draw in the background, unless that is being done; see `progress`."""
        if not self._is_busy:
            self._is_quiet = not anew
            self._progress = MapProgress(MapState.DRAWING)
            self._task = asyncio.create_task(self._draw(anew=anew), context=Context())  # without the id of a request

    async def _draw(self, *, anew: bool) -> None:
        try:
            async with self._leased() as is_ours:
                if is_ours:
                    await self._drawn_under_lease(anew=anew)
            self._progress = MapProgress(MapState.READY if is_ours else MapState.ELSEWHERE, 1.0 if is_ours else 0.0)
        except NothingToDrawError:
            self._progress = MapProgress(MapState.MISSING)
        except (MapError, StoreError) as error:
            log.warning("the map was not drawn", cause=str(error))
            self._progress = MapProgress(MapState.FAILED, 0, str(error))

    async def _drawn_under_lease(self, *, anew: bool) -> None:
        space = await self._store.read(lambda it: it.space(), is_short=True)
        if space is None:
            raise NothingToDrawError
        mark = await self._mark(seq := await self._store.generation()) or StoreMark(seq, "")
        drawing = Drawing(self._store, space, mark, self._report)
        known = None if anew else await self.current()
        if known is not None and await self._has_purged(known.mark.seq):
            known = None  # what was deleted for good is to be forgotten here too
        drawn = await drawing.whole() if known is None else await drawing.caught_up(known)
        if drawn is known:
            return
        if await asyncio.to_thread(self._keeps):
            await asyncio.to_thread(files.write, self._path, drawn)
        else:
            self._known = drawn

    async def _has_purged(self, after: int) -> bool:
        """Return whether memories were deleted for good since a write, or nobody knows any more."""
        while events := await self._store.events(after, EVENTS):
            if isinstance(events, MissedChanges) or any(event.kind == "purge" for event in events):
                return True
            after = events[-1].seq
        return False

    def _report(self, share: float) -> None:
        self._progress = MapProgress(MapState.DRAWING, share)

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[bool]:
        """Hold the lease, if it is free; yields whether it was."""
        if not await self._lease.take(LEASE_S):
            yield False
            return
        extending = asyncio.create_task(self._extend())
        try:
            yield True
        finally:
            extending.cancel()
            await self._lease.give_back()

    async def _extend(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with suppress(StoreError):  # the map is drawn all the same
                await self._lease.take(LEASE_S)

    async def points(self, asked: Sequence[Filters], coloring: Coloring) -> Points | None:
        """Return the memories that pass one of the filters; None while there is no map."""
        known = await self.current()
        if known is None:
            return None

        def labelled(snapshot: Snapshot) -> list[tuple[int, str]]:
            if coloring != "namespace":
                return [each for filters in asked for each in snapshot.labels(filters, coloring)]
            return [(key, filters.namespace) for filters in asked for key, _ in snapshot.labels(filters, "type")]

        found = await self._store.read(labelled)
        return await asyncio.to_thread(Points.of, known, found)

    async def memories(self, caller: str, name: str, numbers: Sequence[int]) -> list[Memory]:
        """Return the memories at some points that a caller was given; those that are gone are absent.

        A store that was restored over this one may have other memories under the same keys.

        Raises:
            NotFoundError: the points are not remembered any more.
        """
        keys, namespaces = self.sets.keys(caller, name, numbers)
        found = await self._store.read(lambda it: it.within(*namespaces).fetch(keys), is_short=True)
        memories = [found[key] for key in keys if key in found]
        return [memory for memory in memories if memory.namespace in namespaces]

    async def close(self) -> None:
        """Stop drawing."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
