"""The stdio transport to another MCP server, with bounded lines and nothing of our environment.

The SDK's own adds variables of ours to the server's, and reads lines of any length.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from memory_mcp.sources.adapter import FaultError

GOODBYE_S: Final = 2.0
"""How long a server may take to end once its stdin is closed, and again after SIGTERM."""

_DISCARDED: Final = 64 << 10
_RUNNING: Final[set[int]] = set()
"""The servers of this process, which are also their process groups."""

FromServer = MemoryObjectReceiveStream[SessionMessage | Exception]
ToServer = MemoryObjectSendStream[SessionMessage]


@contextlib.asynccontextmanager
async def stdio(
    command: Sequence[str], environment: Mapping[str, str], folder: str | None, max_bytes: int
) -> AsyncIterator[tuple[FromServer, ToServer]]:
    """Run a server for as long as the context lasts.

    Args:
        command: its program, looked for on our PATH, and arguments.
        environment: all that it gets.
        folder: its working folder.
        max_bytes: of a line; a longer one ends the session.

    Raises:
        FaultError: it cannot be started.
    """
    process = await _started(command, environment, folder, max_bytes)
    to_us, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    pumps = [asyncio.create_task(_read(process, to_us)), asyncio.create_task(_write(process, from_us))]
    try:
        yield from_server, to_server
    finally:
        was_cancelled = await _finished(asyncio.create_task(_ended(process)))
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for stream in (to_us, from_server, to_server, from_us):
            stream.close()
        if was_cancelled:
            raise asyncio.CancelledError


async def _finished(work: asyncio.Task[None]) -> bool:
    """Wait for work that must not be left behind, however often we are cancelled; return whether we were."""
    was_cancelled = False
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            was_cancelled = True
    return was_cancelled


async def _started(
    command: Sequence[str], environment: Mapping[str, str], folder: str | None, max_bytes: int
) -> Process:
    program = shutil.which(command[0])
    if program is None:
        raise FaultError(f"there is no program {command[0]}", "install it, or correct `command` in its section")
    try:
        process = await asyncio.create_subprocess_exec(
            os.path.abspath(program),  # noqa: PTH100, ASYNC240 - links stay: a virtual environment's Python is one
            *command[1:],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # its log may quote what it was asked
            env=dict(environment),
            cwd=folder,
            limit=max_bytes,
            start_new_session=True,  # Ctrl-C is ours
        )
    except OSError as error:
        raise FaultError(f"{command[0]} cannot be started ({error.strerror})", "correct its section") from error
    _RUNNING.add(process.pid)
    return process


async def _read(process: Process, to_us: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    """Pass on the server's messages; what is none ends the session."""
    assert process.stdout is not None  # noqa: S101 - for mypy: it was asked for
    async with to_us:
        try:
            while line := await process.stdout.readline():
                if line.strip():
                    message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                    await to_us.send(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the session is over
        except (ValueError, OSError):  # no message, or a line beyond the bound
            _signal(process.pid, signal.SIGKILL)
    while await process.stdout.read(_DISCARDED):  # asyncio takes a process for ended when its pipes are
        pass


async def _write(process: Process, from_us: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin is not None  # noqa: S101 - likewise
    with contextlib.suppress(OSError):
        async for sent in from_us:
            process.stdin.write(sent.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()


async def _ended(process: Process) -> None:
    """Ask a server to end by closing its stdin, then by signals to it and its children."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await _waited_for(process)
    finally:
        _RUNNING.discard(process.pid)


async def _waited_for(process: Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            async with asyncio.timeout(GOODBYE_S):
                await process.wait()
                return
        except TimeoutError:
            _signal(process.pid, number)
    await process.wait()


def end_all() -> None:
    """Kill all servers, for a process that ends at once."""
    for pid in _RUNNING:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a server and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
