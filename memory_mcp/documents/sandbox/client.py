"""The front's side of the sandbox."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from memory_mcp.documents.opening import OpenedFile, changed
from memory_mcp.documents.readers.model import DocumentItem, Refusal, RefusedError
from memory_mcp.documents.sandbox import control
from memory_mcp.documents.sandbox.control import Ended, Layers, ReadingLimits
from memory_mcp.documents.sandbox.decoding import FrameDecoder, GarbledError
from memory_mcp.documents.sandbox.process import ChildReading, ReaderProcess, SandboxError

READERS: Final = "memory_mcp.documents.readers.registry:read"
AT_ONCE: Final = 2
"""Documents; each may take the memory that its limits allow."""
IDLE_S: Final = 60.0
_DEFAULT: Final = ReadingLimits()
_SIMPLER: Final = "split it, or save it in a simpler format"
_OPENS_ELSEWHERE: Final = "if another program opens it, save it again from there"


class Sandbox:
    """Reads documents, each in a boxed child of a reader process that is started when it is first needed.

    The process is ended when the sandbox has been idle for a while, and on leaving the `async with`.
    """

    def __init__(
        self,
        *,
        unsandboxed: bool = False,
        limits: ReadingLimits = _DEFAULT,
        idle_s: float = IDLE_S,
        reader: str = READERS,
        folders: Sequence[Path] = (),
    ) -> None:
        """Start nothing.

        Args:
            unsandboxed: read even where the system offers no box.
            limits: of each document.
            idle_s: after how long the process is ended.
            reader: `module:function`; of tests, as are the folders in which its module is looked for.
            folders: see `reader`.
        """
        self._unsandboxed = unsandboxed
        self._limits = limits
        self._idle_s = idle_s
        self._reader = reader
        self._folders = folders
        self._process: ReaderProcess | None = None
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._reading = 0
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._stopping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._starting:
            self._is_closed = True
            self._let_go()
        await asyncio.gather(*self._stopping)

    async def layers(self) -> Layers:
        """Return what the box is made of, enough or not.

        Raises:
            SandboxError: the reader process does not start, or has no readers.
        """
        self._keep()
        try:
            return (await self._running()).layers
        finally:
            self._release()

    async def read(
        self, file: OpenedFile, name: str, media_type: str | None = None
    ) -> AsyncGenerator[DocumentItem, None]:
        """Yield a header, its blocks, and so on; leaving the iteration (`contextlib.aclosing`) kills the child.

        The file stays open and belongs to the caller. Time in which the caller does not ask for items does not count.

        Args:
            file: from `opening`; one that changes while it is read is refused as CHANGED at the end.
            name: the last part of its path or URI.
            media_type: what its sender says.

        Raises:
            RefusedError: before the first item or after some; the next document can be read.
            SandboxError: nothing can be read: no box, or no readers.
        """
        async with self._slots:
            self._keep()
            try:
                async with aclosing(self._items(file, name, media_type)) as items:
                    async for item in items:
                        yield item
            except RefusedError as error:
                if file.is_unchanged():
                    raise
                raise changed() from error
            finally:
                self._release()
        if not file.is_unchanged():
            raise changed()

    async def _items(self, file: OpenedFile, name: str, media_type: str | None) -> AsyncGenerator[DocumentItem, None]:
        reading = await self._begun(file, name, media_type)
        decoder = FrameDecoder()
        try:
            async with aclosing(self._received(reading)) as received:
                async for content in received:
                    for item in decoder.feed(content):
                        yield item
            if not decoder.is_complete:
                raise _why(await reading.ended(), self._limits)
        except GarbledError as error:
            raise RefusedError(
                Refusal.READER_DIED, f"its reader sent what no reader sends; {_OPENS_ELSEWHERE}"
            ) from error
        finally:
            reading.close()

    async def _begun(self, file: OpenedFile, name: str, media_type: str | None) -> ChildReading:
        process = await self._running()
        if not (process.layers.are_enough or self._unsandboxed):
            raise SandboxError(
                f"documents cannot be read safely: the system offers {process.layers} alone, which leave the network"
                " open; use a Linux kernel with seccomp on x86-64 or ARM64, or macOS, or accept the risk with"
                " MCP_MEMORY_INGEST_UNSANDBOXED=1"
            )
        try:
            return await process.begin(file, name, media_type, limits=self._limits, unsandboxed=self._unsandboxed)
        except OSError as error:
            process.kill()
            raise RefusedError(Refusal.READER_DIED, "the reader process died; try again") from error

    async def _received(self, reading: ChildReading) -> AsyncGenerator[bytes, None]:
        """Yield a child's bytes, within the limits of waiting and output."""
        clock = asyncio.get_running_loop().time
        waited, size = 0.0, 0
        while True:
            began = clock()
            try:
                async with asyncio.timeout(self._limits.wait_s - waited):
                    content = await reading.frames.read(control.MAX_MESSAGE)
            except TimeoutError as error:
                raise _out_of_time(self._limits.wait_s) from error
            waited += clock() - began
            size += len(content)
            if size > self._limits.output_bytes:
                limit = self._limits.output_bytes >> 20
                raise RefusedError(Refusal.TOO_LARGE, f"it holds more than {limit:,} MiB of text; split it")
            if not content:
                return
            yield content

    async def _running(self) -> ReaderProcess:
        """Return the reader process; start it if there is none."""
        async with self._starting:
            if self._is_closed:
                raise SandboxError("the program is ending; ask again when it runs")
            if self._process and not self._process.is_alive:
                self._let_go()
            if not self._process:
                self._process = await ReaderProcess.start(self._reader, self._folders)
            return self._process

    def _keep(self) -> None:
        self._reading += 1
        if self._idle:
            self._idle.cancel()

    def _release(self) -> None:
        self._reading -= 1
        if not self._reading and not self._is_closed:
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)

    def _let_go(self) -> None:
        """End the process, in the background."""
        if self._idle:
            self._idle.cancel()
        if self._process:
            stopping = asyncio.create_task(self._process.stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)
            self._process = None


def _out_of_time(seconds: float) -> RefusedError:
    return RefusedError(Refusal.OUT_OF_TIME, f"reading it takes more than {seconds:g} s; {_SIMPLER}")


def _why(ended: Ended | None, limits: ReadingLimits) -> RefusedError:
    """Return why a child ended before it had read everything."""
    if not ended:
        return RefusedError(Refusal.READER_DIED, "the reader process died; try again")
    if ended.signal == signal.SIGXCPU or ended.cpu_s >= limits.cpu_s:
        return _out_of_time(limits.cpu_s)
    if ended.over_memory or ended.signal == signal.SIGKILL:  # the system's own killing, where memory is short
        return RefusedError(Refusal.OUT_OF_MEMORY, f"reading it takes too much memory; {_SIMPLER}")
    how = f"signal {ended.signal}" if ended.signal else f"exit code {ended.code}"
    return RefusedError(Refusal.READER_DIED, f"its reader died ({how}); {_OPENS_ELSEWHERE}")
