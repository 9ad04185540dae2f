"""Tells which paths change in folders, by the system's events or by polling."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

STEP_MS: Final = 200
"""Of quiet, after which a change is told: an editor's save is over by then."""
BURST_MS: Final = 1_000
"""After which changes are told although more follow."""
POLL_MS: Final = 1_500
"""Between two looks at every file, where the system tells nothing."""
SETTLED_S: Final = 1.1
"""After which a polled change is told: the library compares whole seconds, and sees no second change in one."""
_LOCAL_FUSE: Final = frozenset({"fuseblk", "fusectl"})
_NETWORK: Final = frozenset(
    {"9p", "afpfs", "afs", "ceph", "cifs", "drvfs", "fuse", "glusterfs", "lustre", "nfs", "nfs4", "prl_fs", "smb3"}
    | {"smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav"}
)
"""File systems of which the system tells only what this machine writes, or nothing."""


class NotWatchedError(Exception):
    """The folders cannot be watched by the system's events, or by polling either."""


class FolderGoneError(Exception):
    """The root is no longer what it was: it was unmounted, moved or replaced."""


FolderIdentity = tuple[int, int]
"""A folder's device and inode: another file system mounted over it has others."""


def identity(folder: Path) -> FolderIdentity:
    """Return what a folder is, by its real path.

    Raises:
        FolderGoneError: there is none, or it or a folder above it is a link now.
    """
    if os.path.realpath(folder) != str(folder):
        raise FolderGoneError(f"{folder} was replaced by a link to another place; remove the watch and add it again")
    try:
        found = folder.stat()
    except OSError as error:
        raise FolderGoneError(f"{folder} is not there ({error.strerror})") from error
    return found.st_dev, found.st_ino


def network_type(folder: Path) -> str:
    """Return the type of a folder's file system if changes must be looked for; empty if the system tells them."""
    import psutil  # noqa: PLC0415 - imported only when a folder is watched

    real = Path(os.path.realpath(folder))
    mounts = [mount for mount in psutil.disk_partitions(all=True) if real.is_relative_to(mount.mountpoint)]
    kind = max(mounts, key=lambda mount: len(mount.mountpoint)).fstype.casefold() if mounts else ""
    is_network = kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)
    return kind if is_network else ""


class FileEvents:
    """Gathers what changes in folders, in a thread of its own, while it is entered.

    Folders below them are not watched, so that ignored ones cost nothing and no link leads elsewhere.
    """

    def __init__(self, root: Path, folders: Collection[Path], root_is: FolderIdentity, *, polling: bool) -> None:
        """Take the folders, all of them the root or below it, and what the root is."""
        self._root = root
        self._real_root = os.path.realpath(root)  # macOS tells real paths
        self._folders = folders
        self._root_is = root_is
        self._polling = polling
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._began = asyncio.Event()
        self._news = asyncio.Event()
        self._changed: set[Path] = set()
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        """Begin; what happens from now on is told.

        Raises:
            NotWatchedError: they cannot be watched.
            FolderGoneError: the root is not what it was.
        """
        threading.Thread(target=self._watch, name="file events", daemon=True).start()
        try:
            await self._began.wait()
            self._raise_failure()
            await self._settled()
        except BaseException:
            self._stop.set()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()  # the thread ends within a step

    async def changed(self) -> set[Path]:
        """Wait for changes and return the paths: of files or folders that are new, changed or gone.

        Raises:
            NotWatchedError: they can be watched no longer.
            FolderGoneError: the root is no longer what it was.
        """
        await self._news.wait()
        self._raise_failure()
        self._news.clear()
        changed, self._changed = self._changed, set()
        await self._settled()
        return changed

    async def _settled(self) -> None:
        """Wait until what changes from now on is seen as another change."""
        if self._polling:
            await asyncio.sleep(SETTLED_S)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _watch(self) -> None:
        """Run in the thread, until it is stopped."""
        failure: Exception | None = None
        try:
            self._watch_until_stopped()
        except (FolderGoneError, ModuleNotFoundError) as error:
            failure = error
        except FileNotFoundError:  # a folder was removed since it was walked: all must be looked at
            self._tell({self._root})
        except (OSError, RuntimeError) as error:  # the library's own is a RuntimeError
            failure = NotWatchedError(str(error))
            failure.__cause__ = error
        if failure is not None:
            self._tell(set(), failure)

    def _watch_until_stopped(self) -> None:
        from watchfiles import Change, watch  # noqa: PLC0415 - an extra, imported only when a folder is watched

        folders = {os.path.normpath(f"{self._real_root}/{folder.relative_to(self._root)}") for folder in self._folders}
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=BURST_MS,
            step=STEP_MS,
            stop_event=self._stop,
            rust_timeout=STEP_MS,
            yield_on_timeout=True,
            force_polling=self._polling,
            poll_delay_ms=POLL_MS,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if identity(self._root) != self._root_is:
                raise FolderGoneError(f"{self._root} was unmounted, moved or replaced")
            # That a folder was modified, its files have told.
            changed = {path for change, path in changes if not (change is Change.modified and path in folders)}
            if changed or not self._began.is_set():
                self._tell({self._root / os.path.relpath(path, self._real_root) for path in changed})

    def _tell(self, changed: set[Path], failure: Exception | None = None) -> None:
        """Hand changes over to the loop."""
        if not self._stop.is_set():
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                self._loop.call_soon_threadsafe(self._take, changed, failure)

    def _take(self, changed: set[Path], failure: Exception | None) -> None:
        self._changed |= changed
        self._failure = self._failure or failure
        self._began.set()
        if changed or failure:
            self._news.set()


def reason_to_poll(error: NotWatchedError) -> str:
    """Return why the system's events cannot be had, with what fixes it."""
    limit = "fs.inotify.max_user_watches and max_user_instances" if sys.platform == "linux" else "the system's limits"
    return f"the system watches no more folders ({error}); raise {limit}"
