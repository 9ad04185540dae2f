"""Shared by the commands that work on the store."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Final, TypeVar

import click

from memory_mcp import settings
from memory_mcp.app import opened
from memory_mcp.application.request import Request
from memory_mcp.application.stack import make_local_dispatcher
from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.streams import print_data
from memory_mcp.context.project import caller
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import Condition
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.tools.services import Services

T = TypeVar("T")

CODES: Final = {Condition.OK: 0, Condition.DEGRADED: DEGRADED, Condition.FAILED: FAILED}
"""The exit code for each condition."""

as_json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def with_services(work: Callable[[Services], Awaitable[T]], *, writes: bool = False) -> T:
    """Do the work on the store that the settings name, and close it; it sends its requests through a dispatcher.

    Raises:
        SettingsError: it writes, but the settings are read-only.
        MemoryMcpError: what the work raises.
    """
    loaded = settings.load()
    if writes and loaded.read_only:
        raise SettingsError("this command writes, but MCP_MEMORY_READ_ONLY is set; unset it first")

    async def run() -> T:
        async with opened(loaded, creates=writes) as services:
            return await work(services)

    with interruptible():
        done = asyncio.run(run())
    if not writes and loaded.storage_backend == settings.SQLITE and not loaded.sqlite_path.exists():
        click.echo(f"there is no store at {loaded.sqlite_path} yet; the first memory creates it", err=True)
    return done


def answer(make_request: Callable[[Services], Request[T]], *, writes: bool = False) -> T:
    """Answer a request that is no call of a tool.

    Raises:
        SettingsError: it writes, and the settings forbid that.
        MemoryMcpError: what its work raises, or why it was not done.
    """

    async def work(services: Services) -> T:
        return await make_local_dispatcher(services).run(make_request(services))

    return with_services(work, writes=writes)


def administer(name: str, work: Callable[[Services], Awaitable[T]], *, writes: bool = False) -> T:
    """Answer a request that concerns the whole store, whatever the namespace; raises as `answer` does."""
    user = caller(settings.load().namespace)
    return answer(lambda services: admin_request(user, name, partial(work, services)), writes=writes)


def admin_request(user: Principal, name: str, work: Callable[[], Awaitable[T]]) -> Request[T]:
    """Return a request for what is the operator's alone."""
    return Request(user, name, work, (Scope.ADMIN,))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt immediately: asyncio's own handler would wait for a blocked read of stdin."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def say(sentence: str, data: Mapping[str, object], *, as_json: bool) -> None:
    """Print the data as JSON, or else the sentence."""
    if as_json:
        print_data(data)
    else:
        click.echo(sentence)
