"""Keeps the watched folders of the store current, in one front at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from memory_mcp.background import RESTART, Background, rest
from memory_mcp.documents.file_events import FolderGoneError, identity
from memory_mcp.documents.ingesting import Ingesting
from memory_mcp.documents.jobs import Leased
from memory_mcp.documents.kept_folder import RETRY_S, KeptFolder, NotCurrent, is_forbidden, is_gone
from memory_mcp.domain.checks import STORE_UNREADABLE, Inquiry, View
from memory_mcp.domain.documents import Watch
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.domain.ports import DocumentStore
from memory_mcp.health.registry import Registry
from memory_mcp.logger import Logger

LEASE: Final = "folders"
LEASE_S: Final = 30.0
"""Seconds after which another front goes on for a killed one."""
LOOK_S: Final = 3.0
"""Seconds between two looks at which folders are watched; a look costs about 0.2 ms."""

log = Logger(__name__)


class Folders:
    """One loop in each front that serves; a lease in the store lets only one of them watch."""

    def __init__(
        self,
        store: DocumentStore,
        ingesting: Ingesting,
        lease: Leased,
        *,
        look_s: float = LOOK_S,
        lease_s: float = LEASE_S,
        retry_s: float = RETRY_S,
        for_clients: bool = True,
    ) -> None:
        """Watch nothing yet; without `for_clients` the folders that clients had watched are left alone."""
        self._store = store
        self._ingesting = ingesting
        self._lease = lease
        self._look_s = look_s
        self._lease_s = lease_s
        self._retry_s = retry_s
        self._for_clients = for_clients
        self._taken_at: float | None = None
        """When the lease was last taken or extended; None while it is not ours."""
        self._kept: dict[Watch, tuple[KeptFolder, asyncio.Task[None]]] = {}
        self._clock: Callable[[], float] = time.monotonic
        self.background = Background("the loop of watched folders")

    async def run(self) -> None:
        """Keep the folders current until cancelled, whenever no other front does."""
        await self.background.run(self._rounds)

    async def _rounds(self) -> None:
        try:
            while True:
                self._ingesting.watches_changed.clear()
                try:
                    await self._match(await self._mine())
                except StoreError as error:
                    log.warning("the watched folders were not looked at", cause=str(error))
                await rest(self._ingesting.watches_changed, self._look_s)
        finally:
            await self._match([])
            await self._give_back()

    async def _mine(self) -> Sequence[Watch]:
        """Return the folders that this front keeps current: all or none."""
        watches = [watch for watch in await self._store.watches(None) if self._is_allowed(watch)]
        if not watches:
            await self._give_back()
            return ()
        if self._taken_at is None or self._clock() - self._taken_at >= self._lease_s / 3:
            self._taken_at = self._clock() if await self._lease.take(self._lease_s) else None
        return () if self._taken_at is None else watches

    def _is_allowed(self, watch: Watch) -> bool:
        return self._for_clients or not watch.is_of_client

    async def _give_back(self) -> None:
        if self._taken_at is not None:
            self._taken_at = None
            with contextlib.suppress(StoreError):  # it runs out by itself
                await self._lease.give_back()

    async def _match(self, watches: Sequence[Watch]) -> None:
        """Let what is kept be these folders."""
        for watch in self._kept.keys() - set(watches):
            await _ended(self._kept.pop(watch)[1])
        for watch in watches:
            if watch not in self._kept:
                folder = KeptFolder(watch, self._store, self._ingesting, retry_s=self._retry_s)
                self._kept[watch] = folder, asyncio.create_task(folder.run())

    async def finding(self, inquiry: Inquiry) -> Finding:
        """Tell which watched folders are not kept current, as far as this process knows."""
        try:
            watches = await self._ingesting.watches(inquiry.namespace)
        except StoreError:
            return STORE_UNREADABLE
        ill = [(watch, trouble) for watch in watches if (trouble := await self._trouble(watch))]
        if ill:
            cause = "; ".join(f"the watched folder {watch.path} is not kept current: {it.cause}" for watch, it in ill)
            return Finding(Condition.DEGRADED, "not current", cause, ill[0][1].fix)
        if not watches:
            return Finding(Condition.OK, "none", detail="no folder is watched")
        told = f"watched folders: {len(watches)}" + ("" if self._kept else "; this process leaves them to another")
        kept = (folder for watch, (folder, _) in self._kept.items() if watch in watches)
        polled = [f"{folder.watch.path}: {folder.polling}" for folder in kept if folder.polling]
        if polled:
            told += f"; looked at every few seconds: {'; '.join(polled)}"
        return Finding(Condition.OK, "kept", detail=told)

    async def _trouble(self, watch: Watch) -> NotCurrent | None:
        if not self._is_allowed(watch):
            return is_forbidden(watch)
        kept = self._kept.get(watch)
        if kept is not None:
            folder, _ = kept
            failing = folder.background.trouble
            return NotCurrent(failing, RESTART) if failing else folder.trouble
        try:
            await asyncio.to_thread(identity, Path(watch.path))
        except FolderGoneError as error:
            return is_gone(watch, str(error))
        return None


def register(registry: Registry, folders: Folders) -> None:
    """Register the check of the watched folders."""
    registry.add("folders", partial(Folders.finding, folders), view=View.LIVE)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
