"""Finds a peer's file, copies it, and has the copy read in the sandbox. The file itself is never opened to write."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from memory_mcp.documents.sandbox import macos
from memory_mcp.documents.sandbox.control import LENGTH
from memory_mcp.domain.errors import TransferError
from memory_mcp.imports import frames
from memory_mcp.imports.copying import copied
from memory_mcp.imports.model import Peer, PeerItem, UnreadableError
from memory_mcp.imports.orders import Order

PROGRAM: Final = "memory_mcp.imports.boxed"
FOLDER: Final = "memory-mcp-import-"
"""Begins the names of private folders; the number of their process follows."""
WAIT_S: Final = 120.0
"""Until the reader's next record."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user said about a source."""

    extras: tuple[str, ...] = ()
    zone: str = ""
    """For times without a zone; empty for this machine's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Tells the reader this machine's zone, where it is not the system's."""
    unsandboxed: bool = False


USUAL: Final = Wishes()


async def read(peer: Peer, path: Path, wishes: Wishes = USUAL) -> AsyncGenerator[PeerItem, None]:
    """Yield what a peer's file or folder holds, from a private copy that is made now.

    Raises:
        TransferError: it cannot be read.
    """
    with private_folder() as folder:
        try:
            copy = await asyncio.to_thread(copied, peer, path, folder)
            async with _started(peer, copy, wishes) as pipe:
                while item := await _next(pipe):
                    yield item
        except UnreadableError as error:
            raise TransferError(f"{path}: {error}") from error


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for a copy, which is removed with it; those of processes that were killed are removed now."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        owner = left.name.removeprefix(FOLDER).split("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)  # another user's stays
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-") as made:
        yield Path(made).resolve()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@asynccontextmanager
async def _started(peer: Peer, copy: Path, wishes: Wishes) -> AsyncIterator[asyncio.StreamReader]:
    """Start the reader, and end it at the end."""
    boxed = macos.command([], copy.parent) if sys.platform == "darwin" else []
    order = Order(
        peer.reader, str(copy), peer.files, peer.beside, wishes.extras, wishes.zone, unsandboxed=wishes.unsandboxed
    )
    process = await asyncio.create_subprocess_exec(
        *(*boxed, sys.executable, "-I", "-X", "utf8", "-m", PROGRAM, order.written()),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        env={"TZ": wishes.zone} if wishes.zone else wishes.environment,
        cwd=copy.parent,
        limit=frames.MAX_FRAME,
        start_new_session=True,  # Ctrl-C is the front's
    )
    assert process.stdout is not None  # noqa: S101 - a pipe
    try:
        yield process.stdout
    finally:
        with suppress(ProcessLookupError):  # it has ended
            process.kill()
        await process.wait()


async def _next(pipe: asyncio.StreamReader) -> PeerItem | None:
    """Return the next item; None after the last.

    Raises:
        UnreadableError: there is no more, though the reader did not say so.
    """
    try:
        async with asyncio.timeout(WAIT_S):
            (size,) = LENGTH.unpack(await pipe.readexactly(LENGTH.size))
            if size > frames.MAX_FRAME:
                raise UnreadableError("its reader sent what no reader sends; report the bug")
            content = await pipe.readexactly(size)
    except TimeoutError as error:
        raise UnreadableError(f"nothing more was read of it within {WAIT_S:g} s; report the bug") from error
    except asyncio.IncompleteReadError as error:
        raise UnreadableError("its reader died; restore an intact copy, or report the bug") from error
    return frames.unpacked(content)
