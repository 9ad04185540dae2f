"""Serving one client over stdio, until it goes or a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import anyio

from memory_mcp.domain.principal import local_user
from memory_mcp.server.handlers import make_server
from memory_mcp.server.session import LazyServices
from memory_mcp.server.stdio import Transport, claim_descriptors
from memory_mcp.settings import Settings


async def _serve(settings: Settings) -> None:
    services, user = LazyServices(settings), local_user(settings.namespace)
    server = make_server(settings, services, lambda _: user, rate_limited=False)
    try:
        async with Transport(*claim_descriptors()).streams() as (from_client, to_client):
            await server.run(from_client, to_client, server.create_initialization_options())
    except* anyio.BrokenResourceError:
        pass  # messages that came while the session ended; their client has gone or is told to
    finally:
        await services.close()


async def _until_signalled(settings: Settings) -> None:
    serving = asyncio.create_task(_serve(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def serve_stdio(settings: Settings) -> None:
    """Serve the client on stdin and stdout; return when it has gone."""
    asyncio.run(_until_signalled(settings))
