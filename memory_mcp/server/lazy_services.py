"""The services of one process, built on first use: the handshake does not wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Final

from memory_mcp.domain.errors import SettingsError
from memory_mcp.server.lean import building_later, without
from memory_mcp.settings import Settings

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services  # imports the whole program, so not before the handshake

WARM_UP_AFTER_S: Final = 0.05
"""Seconds after tools/list, when its answer has been sent."""


class LazyServices:
    """Builds the services once, importing what they need only then."""

    def __init__(self, settings: Settings, problem: SettingsError | None = None) -> None:
        self._settings = settings
        self._problem = problem
        """The error in the settings, if they are invalid."""
        self._stack = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()
        self._services: Services | None = None
        self._warming: asyncio.Task[Services] | None = None

    async def get(self) -> Services:
        """Return the services, built on first use.

        Raises:
            SettingsError: the settings are invalid.
        """
        if self._problem:
            raise SettingsError(str(self._problem))
        async with self._lock:
            if self._services is None:
                gc.disable()  # everything imported and built here stays, so collecting would only cost time
                try:
                    self._services = await self._make()
                    gc.freeze()
                finally:
                    gc.enable()
            return self._services

    async def _make(self) -> Services:
        with without("rich"):  # structlog would import it (4 MB) for tracebacks that we do not print
            from memory_mcp import logs  # noqa: PLC0415 - structlog, after the handshake
        from memory_mcp import tools  # noqa: PLC0415 - after the handshake
        from memory_mcp.app import running  # noqa: PLC0415 - gRPC and apsw, after the handshake

        with building_later():
            _ = tools.TOOLS  # imports them all, so that the first call need not wait for them

        logs.configure(self._settings)
        return await self._stack.enter_async_context(running(self._settings))

    def warm(self) -> None:
        """Build the services soon, so that the first call finds them and the queue drains without a call."""
        if self._warming is None and not self._problem:
            asyncio.get_running_loop().call_later(WARM_UP_AFTER_S, self._begin)

    def _begin(self) -> None:
        self._warming = self._warming or asyncio.create_task(self.get())

    async def close(self) -> None:
        await self._stack.aclose()
