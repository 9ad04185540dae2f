"""What the tests of the sandbox share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
import pytest

from memory_mcp.documents.opening import open_content
from memory_mcp.documents.readers.model import DocumentItem, RefusedError, TextBlock
from memory_mcp.documents.sandbox.client import Sandbox

T = TypeVar("T")
HERE: Final = Path(__file__).parent
SOON_S: Final = 20.0


def boxed(reader: str = "hostile:read", **options: Any) -> Sandbox:
    return Sandbox(reader=reader, folders=[HERE], **options)


async def items(sandbox: Sandbox, name: str, content: bytes = b"some text") -> list[DocumentItem]:
    with open_content(content) as file:
        return [item async for item in sandbox.read(file, name)]


async def text(sandbox: Sandbox, name: str, content: bytes = b"some text") -> str:
    return "".join(item.text for item in await items(sandbox, name, content) if isinstance(item, TextBlock))


async def refusal(sandbox: Sandbox, name: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await items(sandbox, name)
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - other processes tell of no event
            await asyncio.sleep(0.005)


async def begun(sandbox: Sandbox, reading: Coroutine[object, object, T]) -> asyncio.Task[T]:
    """Return the task of a reading once its child runs."""
    await items(sandbox, "text")
    await until(lambda: not any(each.children() for each in reader_processes()))
    task = asyncio.create_task(reading)
    await until(lambda: any(each.children() for each in reader_processes()))
    return task


def reader_processes() -> list[psutil.Process]:
    """Return our reader processes."""
    return [each for each in psutil.Process().children() if is_reader_process(each)]


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process, be it another's child, has ended; who should reap it may take a while."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def is_reader_process(process: psutil.Process) -> bool:
    try:
        return "reader_process" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False
