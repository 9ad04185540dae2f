"""What turns calls into vectors, without the server that they come through: the daemon's, or Ray Serve's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from embedder_api import __version__

from embedder_daemon import logs
from embedder_daemon.embedding import EmbedCalls
from embedder_daemon.engines import factory
from embedder_daemon.engines.base import Engine, EngineOptions
from embedder_daemon.errors import EngineMissingError, StalledError, UnavailableError
from embedder_daemon.model import discovery
from embedder_daemon.runtime import homebrew_check, watchdog
from embedder_daemon.runtime.lifecycle import Lifecycle, StateListener
from embedder_daemon.scheduler.cache import Cache
from embedder_daemon.scheduler.quarantine import Quarantine
from embedder_daemon.scheduler.scheduler import Scheduler
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.service import EmbedderService
from embedder_daemon.settings import DaemonSettings
from embedder_daemon.stats import Stats
from memory_common import tracing

CLOSE_S: Final = 0.5
"""Seconds that each thread has to end."""


class Core:
    """The engine's life, the queue before it, and the service that answers calls.

    Args:
        settings: the daemon's.
        build: loads the engine, on a thread of its own.
        listener: hears of each new state.
        name: of this daemon among those of a network, for refusals; empty for a socket.
        beside: the file next to which the quarantine lies; None keeps it in memory.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        build: Callable[[], Engine],
        *,
        listener: StateListener,
        name: str = "",
        beside: Path | None = None,
    ) -> None:
        stats, most = Stats(started_at=time.monotonic()), settings.max_queued_texts
        self._worker = Worker("engine")
        self._watchdog_s = settings.watchdog_s
        self._watching: asyncio.Task[None] | None = None
        self._scheduler = scheduler = Scheduler(self._worker, stats, most, quarantine=Quarantine(beside))
        self.lifecycle = Lifecycle(
            build, self._worker, scheduler, idle_unload_s=settings.idle_unload_s, listener=listener
        )
        cache = Cache(settings.cache_mb << 20)
        self._embedding = EmbedCalls(self.lifecycle, scheduler, stats, cache)
        self.service = EmbedderService(self._embedding, self.lifecycle, scheduler, cache, stats, most, name)

    def start(self) -> None:
        """Start loading the model, and watching over it."""
        self.lifecycle.start()
        self._watching = asyncio.create_task(self._watch())

    def admitted_texts(self) -> int:
        """Return the number of texts that wait or are being computed."""
        return self._scheduler.admission.texts

    async def drain(self, grace_s: float) -> bool:
        """Refuse new calls and finish running ones; False if some outlast the grace period (none after a stall)."""
        if self._watching:
            self._watching.cancel()
        return await self.lifecycle.drain(0.0 if self._stalled else grace_s)

    def close(self) -> bool:
        """End the threads; return whether they did."""
        threads = [self._embedding.close(CLOSE_S), self._worker.close(CLOSE_S)]
        if not self._stalled:
            self._scheduler.quarantine.acquit_all()
        return all(threads)

    @property
    def _stalled(self) -> bool:
        return isinstance(self.lifecycle.error, StalledError)

    async def _watch(self) -> None:
        """Fail all calls when the model hangs; the failure ends the process."""
        error = await watchdog.until_stalled(self._scheduler, self.lifecycle, self._watchdog_s)
        self._scheduler.abort(UnavailableError(f"the daemon failed: {error}"))
        await self.lifecycle.fail(error)


def builder(settings: DaemonSettings) -> Callable[[], Engine]:
    """Return what loads the engine of the settings."""
    options = EngineOptions(device=settings.device, precision=settings.precision, threads=settings.threads)
    find_model = partial(discovery.configured, settings)

    def build() -> Engine:
        try:
            return factory.build(settings.engine, options, find_model)
        except EngineMissingError as error:  # of the two reasons, the one that a user can fix
            raise EngineMissingError(homebrew_check.outdated() or str(error)) from error

    return build


def begin_traces(endpoint: str) -> None:
    """Send traces from now on; a failure is logged as an error, and the daemon runs without them."""
    try:
        tracing.begin(endpoint, "memory-mcp-embedder", __version__)
    except ImportError as error:
        logs.get().error(f"otel_endpoint: {error.name} is missing, so there are no traces; reinstall the daemon")
    except ValueError as error:
        logs.get().error(f"otel_endpoint: there are no traces; {error}")
