"""Finds a peer's file, copies it, and has the copy read in the sandbox. The file itself is never opened to write."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from memory_mcp.documents.sandbox import macos
from memory_mcp.documents.sandbox.control import LENGTH
from memory_mcp.domain.errors import TransferError
from memory_mcp.imports import frames
from memory_mcp.imports.model import Peer, PeerItem, UnreadableError

PROGRAM: Final = "memory_mcp.imports.boxed"
WAIT_S: Final = 120.0
"""Until the reader's next record."""
TRIES: Final = 5
"""Copies of a file that another program writes."""
Stat = tuple[int, int] | None


def find(peer: Peer, given: Path | None) -> Path:
    """Return the peer's file.

    Raises:
        TransferError: it is not there.
    """
    if given is not None:
        return _checked(given)
    home = Path.home()
    found = [path for place in peer.places for path in home.glob(place) if path.is_file()]
    if found:
        return max(found, key=lambda path: path.stat().st_mtime)
    places = " or ".join(str(home / place) for place in peer.places)
    raise TransferError(f"{peer.name} has no file at {places}; give its path")


def _checked(path: Path) -> Path:
    if path.is_file():
        return path
    raise TransferError(f"{path} is not a file; give the path of the peer's own file")


async def read(peer: Peer, path: Path, *, unsandboxed: bool = False) -> AsyncGenerator[PeerItem, None]:
    """Yield what a peer's file holds, from a private copy that is made now.

    Raises:
        TransferError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="memory-mcp-import-") as made:
        folder = Path(made).resolve()  # noqa: ASYNC240 - once
        try:
            copy = await asyncio.to_thread(copied, path, peer.beside, folder)
            async with _started(peer, copy, unsandboxed=unsandboxed) as pipe:
                while item := await _next(pipe):
                    yield item
        except UnreadableError as error:
            raise TransferError(f"{path}: {error}") from error


def copied(path: Path, beside: tuple[str, ...], folder: Path) -> Path:
    """Copy a file with those that belong to it, as they are at one moment.

    Raises:
        UnreadableError: another program writes them all the time.
    """
    files = [path, *(path.with_name(path.name + ending) for ending in beside)]
    for _ in range(TRIES):
        before = [_stat(file) for file in files]
        for file, was in zip(files, before, strict=True):
            target = folder / file.name
            target.unlink(missing_ok=True)
            if was is not None:
                with suppress(FileNotFoundError):  # gone meanwhile: the next try
                    shutil.copy2(file, target)  # with its time, which stands for times that are missing
        if [_stat(file) for file in files] == before:
            return folder / path.name
    raise UnreadableError("another program writes it all the time; close that program")


def _stat(file: Path) -> Stat:
    with suppress(FileNotFoundError):
        found = file.stat()
        return found.st_mtime_ns, found.st_size
    return None


@asynccontextmanager
async def _started(peer: Peer, copy: Path, *, unsandboxed: bool) -> AsyncIterator[asyncio.StreamReader]:
    """Start the reader, and end it at the end."""
    boxed = macos.command([], copy.parent) if sys.platform == "darwin" else []
    words = [*boxed, sys.executable, "-I", "-X", "utf8", "-m", PROGRAM, peer.reader, str(copy)]
    words += ["--unsandboxed"] * unsandboxed
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
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
