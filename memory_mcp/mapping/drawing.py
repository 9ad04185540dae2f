"""Draws maps: reads the vectors, has another process lay them out, and keeps where they lie."""

from __future__ import annotations

import asyncio
import random
import sys
from array import array
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from memory_mcp.domain.models import Space
from memory_mcp.domain.ports import Snapshots
from memory_mcp.mapping import wire
from memory_mcp.mapping.errors import MapError, NothingToDrawError
from memory_mcp.mapping.kept import KeptMap, StoreMark
from memory_mcp.mapping.wire import ReportShare

PROGRAM: Final = "memory_mcp.mapping.drawing_process"
SAMPLED: Final = 20_000
"""Vectors from which the layout is learned."""
PAGE: Final = 10_000
"""Keys read at once."""
BLOCK: Final = 500
"""Vectors read and sent at once, 0.8 MB."""
STALE_SHARE: Final = 0.2
"""Share of the memories that may have come or gone before all are laid out anew."""
STALE_LEAST: Final = 50
WAIT_S: Final = 300.0
"""Until the process says something; on a busy machine it is the last to be served."""
_REPORT: Final = "report the bug, or turn the map off with MCP_MEMORY_WEB_ENABLED=false"
_LEARNING, _PLACING = 0.2, 0.5
"""The shares of the work before these steps."""


class _Placed(NamedTuple):
    """What the process has placed."""

    keys: array[int]
    xs: array[int]
    ys: array[int]
    model: bytes
    """Empty if it was given."""


@dataclass(slots=True)
class Drawing:
    """One map in the making."""

    store: Snapshots
    space: Space
    mark: StoreMark
    report: ReportShare

    async def whole(self) -> KeptMap:
        """Lay out all memories anew.

        Raises:
            MapError: the process failed.
            StoreError: the vectors cannot be read.
        """
        return await self._whole(await self._keys())

    async def caught_up(self, known: KeptMap) -> KeptMap:
        """Place the memories that a map lacks and move none, or lay out all anew if many have come or gone.

        Raises:
            MapError: the process failed.
            StoreError: the vectors cannot be read.
        """
        keys = await self._keys()
        missing = [key for key in keys if key not in known.index]
        gone = len(known.keys) + len(missing) - len(keys)
        if len(known.keys) + len(missing) - known.learned_from + gone > STALE_LEAST + STALE_SHARE * known.learned_from:
            return await self._whole(keys)
        return await self._further(known, missing) if missing else known

    async def _whole(self, keys: Sequence[int]) -> KeptMap:
        if not keys:
            raise NothingToDrawError
        sample = sorted(random.sample(keys, min(SAMPLED, len(keys))))
        async with _started() as process:
            await self._send(process, wire.DrawingOrder(self.space.dimensions).line())
            await self._rows(process, sample, 0, _LEARNING)
            new = await self._placed(process, keys)
        return KeptMap(self.space.id, self.mark, datetime.now(UTC), len(keys), new.keys, new.xs, new.ys, new.model)

    async def _further(self, known: KeptMap, keys: Sequence[int]) -> KeptMap:
        async with _started() as process:
            order = wire.DrawingOrder(self.space.dimensions, len(known.model))
            await self._send(process, order.line() + known.model)
            new = await self._placed(process, keys)
        return known.with_more(self.mark, new.keys, new.xs, new.ys)

    async def _keys(self) -> list[int]:
        """Return the keys of all memories with a vector."""
        keys: list[int] = []
        while page := await self._page(keys[-1] if keys else 0):
            keys += page
        return keys

    async def _page(self, after: int) -> list[int]:
        return await self.store.read(lambda it: it.embedded_keys(after, PAGE), is_short=True)

    async def _placed(self, process: Process, keys: Sequence[int]) -> _Placed:
        """Return the keys that still exist with their places, and the model if it is new."""
        listening = asyncio.create_task(self._drawn(process))
        try:
            sent = await self._rows(process, keys, _PLACING, 1.0)
            drawn = await listening
        finally:
            listening.cancel()
        assert process.stdout is not None  # noqa: S101 - a pipe
        model = await _exactly(process.stdout, drawn.model)
        xs, ys = array("H"), array("H")
        for numbers in (xs, ys):
            numbers.frombytes(await _exactly(process.stdout, 2 * drawn.points))
        if sys.byteorder == "big":
            xs.byteswap()
            ys.byteswap()
        return _Placed(sent, xs, ys, model)

    async def _rows(self, process: Process, keys: Sequence[int], begins: float, ends: float) -> array[int]:
        """Send the vectors of these memories, and return the keys of those that still exist."""
        sent = array("q")
        for done, block in _blocks(keys):
            if process.returncode is not None:  # it has died, which `_drawn` finds
                break
            vectors = await self._vectors(block)
            sent.extend(vectors)
            await self._send(process, wire.SIZE.pack(len(vectors)) * bool(vectors) + b"".join(vectors.values()))
            self.report(begins + (ends - begins) * done / len(keys))
        await self._send(process, wire.SIZE.pack(0))
        return sent

    async def _vectors(self, keys: Sequence[int]) -> dict[int, bytes]:
        space, found = await self.store.read(
            lambda it: (it.space(), it.everywhere().first_vectors(keys)), is_short=True
        )
        if space != self.space:
            raise MapError("the store's vectors were replaced by another model's meanwhile; draw the map again")
        return {key: found[key] for key in sorted(found)}

    async def _send(self, process: Process, message: bytes) -> None:
        assert process.stdin is not None  # noqa: S101 - a pipe
        with suppress(ConnectionError):  # it has died
            process.stdin.write(message)
            await process.stdin.drain()

    async def _drawn(self, process: Process) -> wire.Drawn:
        """ReportShare how far the process is until it is done."""
        assert process.stdout is not None  # noqa: S101 - a pipe
        while True:
            try:
                async with asyncio.timeout(WAIT_S):
                    said = wire.heard(await process.stdout.readline())
            except (ValueError, TimeoutError) as error:
                raise MapError(await _why(process)) from error
            if isinstance(said, wire.Drawn):
                return said
            self.report(_LEARNING + (_PLACING - _LEARNING) * said)


def _blocks(keys: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield how many are done after each block, and the block."""
    for start in range(0, len(keys), BLOCK):
        block = keys[start : start + BLOCK]
        yield start + len(block), block


async def _exactly(pipe: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await pipe.readexactly(size)
    except asyncio.IncompleteReadError as error:
        raise MapError(f"the process that draws the map died; draw it again, or {_REPORT}") from error


async def _why(process: Process) -> str:
    """Return why there is no map."""
    if process.returncode is None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await process.wait()
    if process.returncode is None:
        return f"the process that draws the map said nothing for {WAIT_S:g} s; draw it again on a less busy machine"
    ended = f"signal {-process.returncode}" if process.returncode < 0 else f"exit status {process.returncode}"
    return f"the process that draws the map ended early ({ended}); draw it again, or {_REPORT}"


@asynccontextmanager
async def _started() -> AsyncIterator[Process]:
    """Start the process, and end it at the end."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-X", "utf8", "-m", PROGRAM),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1"},  # its threads turn round while they wait for each other
            cwd="/",
            start_new_session=True,  # Ctrl-C is the front's
        )
    except OSError as error:
        raise MapError(f"the process that draws the map cannot be started ({error.strerror}); {_REPORT}") from error
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # it has ended
            process.kill()
        await process.wait()
