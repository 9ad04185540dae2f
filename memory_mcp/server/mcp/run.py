"""Serves one client over stdio, until it leaves or a signal arrives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

import anyio
import mcp_types as types

from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.errors import SettingsError
from memory_mcp.environment import is_source
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.server.mcp.project import LocalCallers
from memory_mcp.server.mcp.stdio import Transport, claim_descriptors
from memory_mcp.settings import Settings

SWITCH_S: Final = 0.0005
"""Python's thread switch interval in seconds: the keyword search thread must not hold up the event loop, which waits
for the query's vector. With the default of 5 ms a search takes a fifth longer."""
PARENT_EVERY_S: Final = 2.0
"""Seconds between checks of the parent process."""


async def _serve(settings: Settings, problem: SettingsError | None) -> None:
    services, callers = LazyServices(settings, problem), LocalCallers(settings.namespace, is_source=is_source())
    dispatcher = make_dispatcher(settings, services.get, rate_limited=False)
    server = make_server(settings, services, dispatcher, callers, is_local=True)
    server.add_notification_handler("notifications/roots/list_changed", types.NotificationParams, callers.changed)
    transport = Transport(*claim_descriptors())
    try:
        async with transport.streams() as (from_client, to_client), _ending_with_parent(transport.heard):
            await server.run(from_client, to_client, server.create_initialization_options())
    except* anyio.BrokenResourceError:
        pass  # messages that arrived while the session ended; the client has gone or will be told
    finally:
        await services.close()


@contextlib.asynccontextmanager
async def _ending_with_parent(heard: asyncio.Event) -> AsyncIterator[None]:
    """Stop serving when the parent process is gone: other processes may keep our stdin open.

    Watching starts with the client's first message: a parent that left before was only a launcher.
    """
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            await heard.wait()
            parent = os.getppid()
            while os.getppid() == parent:  # noqa: ASYNC110 - not every system has an event for this
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
    """Serve the client on stdin and stdout until it leaves.

    If the settings are invalid, pass the defaults and the problem; every call then answers with the problem.
    """
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(_until_signalled(settings, problem))
