"""Serving one client over stdio, until it goes or a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

import anyio

from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.principal import local_user
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.server.mcp.stdio import Transport, claim_descriptors
from memory_mcp.settings import Settings

SWITCH_S: Final = 0.0005
"""Seconds that a thread may keep the others from Python: the one that looks for words must not hold up the loop that
waits for the query's vector. With Python's own 5 ms a search takes a fifth longer."""
PARENT_EVERY_S: Final = 2.0
"""Seconds between two looks at the parent."""


async def _serve(settings: Settings, problem: SettingsError | None) -> None:
    services, user = LazyServices(settings, problem), local_user(settings.namespace)
    dispatcher = make_dispatcher(settings, services.get, rate_limited=False)
    server = make_server(settings, services, dispatcher, lambda _: user)
    transport = Transport(*claim_descriptors())
    try:
        async with transport.streams() as (from_client, to_client), _ending_with_parent(transport.heard):
            await server.run(from_client, to_client, server.create_initialization_options())
    except* anyio.BrokenResourceError:
        pass  # messages that came while the session ended; their client has gone or is told to
    finally:
        await services.close()


@contextlib.asynccontextmanager
async def _ending_with_parent(heard: asyncio.Event) -> AsyncIterator[None]:
    """End the work when the process that started us is gone: others may hold its end of our stdin open.

    It is looked for when the client speaks: who started us and left before that was a helper of the client.
    """
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            await heard.wait()
            parent = os.getppid()
            while os.getppid() == parent:  # noqa: ASYNC110 - the system has no event for it everywhere
                await asyncio.sleep(PARENT_EVERY_S)
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        yield
        tasks.cancel_scope.cancel()


async def _until_signalled(settings: Settings, problem: SettingsError | None) -> None:
    serving = asyncio.create_task(_serve(settings, problem))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def serve_stdio(settings: Settings, problem: SettingsError | None = None) -> None:
    """Serve the client on stdin and stdout; return when it has gone.

    Where the settings do not fit, these are the defaults, and every call answers the problem.
    """
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(_until_signalled(settings, problem))
