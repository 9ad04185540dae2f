"""The reader process as the front sees it: started, asked for documents, told to stop."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.sandbox import control, macos
from memory_mcp.documents.sandbox.control import Ended, Greeting, Layers, ReadingLimits, ReadRequest
from memory_mcp.domain.errors import Code, MemoryMcpError

_PROGRAM: Final = "memory_mcp.documents.sandbox.reader_process"
_LONGEST_NAME: Final = 1_000
_REINSTALL: Final = "reinstall memory-mcp[documents], or report the bug"
_START_S: Final = 60.0
_STOP_S: Final = 5.0


class SandboxError(MemoryMcpError):
    """No document can be read on this machine; the message says why and what fixes it. It ends a job."""

    code = Code.SETTINGS


class Reading:
    """One document's child."""

    def __init__(self, process: ReaderProcess, number: int, ended: asyncio.Future[Ended | None]) -> None:
        self._process = process
        self._number = number
        self._ended = ended
        self._transport: asyncio.ReadTransport | None = None
        self.frames = asyncio.StreamReader(limit=control.MAX_MESSAGE)

    async def connect(self, pipe: int) -> None:
        """Read from this end of the pipe from now on, and own it."""
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self.frames)
        self._transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))

    async def ended(self) -> Ended | None:
        """Wait for the child to end, and return how it did; None if the reader process died."""
        try:
            async with asyncio.timeout(_STOP_S):
                return await self._ended
        except TimeoutError:  # the reader process hangs; its children die with it
            self._process.kill()
            return None

    def close(self) -> None:
        """Kill the child, if it runs."""
        if not self._ended.done():
            self._process.give_up(self._number)
        if self._transport:
            self._transport.close()


class ReaderProcess:
    """A running reader process."""

    def __init__(self, process: Process, connection: socket.socket) -> None:
        self._process = process
        self._connection = connection
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._running: dict[int, asyncio.Future[Ended | None]] = {}
        self._numbers = itertools.count()
        self._greeting = Greeting(Layers())

    @staticmethod
    async def start(reader: str, folders: Sequence[Path]) -> ReaderProcess:
        """Start one and wait for its greeting.

        Raises:
            SandboxError: it does not start, or has no readers.
        """
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        boxed = macos.command(list(folders)) if sys.platform == "darwin" else []
        words = (*boxed, sys.executable, "-I", "-X", "utf8", "-m", _PROGRAM, str(theirs.fileno()), reader)
        with theirs:
            try:
                program = await asyncio.create_subprocess_exec(
                    *words,
                    *map(str, folders),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is the front's
                )
            except OSError as error:
                ours.close()
                raise SandboxError(f"the reader process cannot be started ({error.strerror}); {_REINSTALL}") from error
        process = ReaderProcess(program, ours)
        try:
            await process._greeted()
        except BaseException:
            await process.stop()
            raise
        return process

    @property
    def layers(self) -> Layers:
        """What the box of its children is made of."""
        return self._greeting.layers

    @property
    def is_alive(self) -> bool:
        return self._listener is not None and not self._listener.done()

    async def begin(
        self, file: OpenedFile, name: str, media_type: str | None, *, limits: ReadingLimits, unsandboxed: bool
    ) -> Reading:
        """Have a document read; the caller closes the reading.

        Raises:
            OSError: the reader process died, or hangs.
        """
        number = next(self._numbers)
        ended = self._running[number] = asyncio.get_running_loop().create_future()
        reading = Reading(self, number, ended)
        ours, theirs = os.pipe()
        try:
            await reading.connect(ours)
            request = ReadRequest(number, name[-_LONGEST_NAME:], media_type, file.size, unsandboxed, limits)
            socket.send_fds(self._connection, [control.packed(request)], [file.descriptor, theirs])
        except BaseException:
            self._running.pop(number)
            reading.close()
            raise
        finally:
            os.close(theirs)
        return reading

    def give_up(self, number: int) -> None:
        """Kill a document's child."""
        with suppress(OSError):  # the reader process has died, and its children with it
            self._connection.send(control.packed(number))

    def kill(self) -> None:
        """Kill the process, and with it its children."""
        with suppress(ProcessLookupError):  # it has ended
            self._process.kill()

    async def stop(self) -> None:
        """End the process and its children."""
        self._connection.close()
        if self._writer:
            self._writer.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if self._listener:
            await self._listener

    async def _greeted(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._connection.dup())
        try:
            async with asyncio.timeout(_START_S):
                self._greeting = control.greeting(await _message(reader))
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise SandboxError(f"the reader process does not start; {_REINSTALL}") from error
        if self._greeting.trouble:
            raise SandboxError(self._greeting.trouble)
        self._listener = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hear of each child that ended, until the process has."""
        try:
            while True:
                said = control.ended(await _message(reader))
                if ended := self._running.pop(said.number, None):
                    ended.set_result(said)
        except (asyncio.IncompleteReadError, OSError):
            pass  # it died, or was told to stop
        finally:
            for each in self._running.values():
                each.set_result(None)
            self._running.clear()


async def _message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(*control.LENGTH.unpack(await reader.readexactly(control.LENGTH.size)))
