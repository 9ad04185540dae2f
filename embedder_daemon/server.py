"""Builds the daemon and runs it: lock, bind, serve, drain."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import grpc
from embedder_api.v1 import contract
from embedder_api.v1.embedder_pb2_grpc import add_EmbedderServicer_to_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no stubs

from embedder_daemon import logs
from embedder_daemon.autotune import background
from embedder_daemon.core import Core, begin_traces, builder
from embedder_daemon.engines.base import Engine
from embedder_daemon.runtime import endpoint, homebrew_check, listening, systemd, watchdog
from embedder_daemon.runtime.lifecycle import DaemonState, Lifecycle
from embedder_daemon.settings import DaemonSettings
from memory_common.file_lock import FileLock

DRAIN_S: Final = 12.0
"""Seconds that running calls may take after SIGTERM; launchd and systemd kill later than that."""
_FAREWELL_S: Final = 0.4  # how long a failed daemon still answers with the reason
_CLOSE_S: Final = 0.5
_PENDING: Final = 1 << 14  # calls that gRPC queues for the event loop; further ones get CANCELLED
_SERVER_OPTIONS: Final = (
    *contract.CHANNEL_OPTIONS,
    (
        "grpc.server.max_pending_requests",
        _PENDING,
    ),  # gRPC's defaults of 1,000 and 3,000 would reject a burst without our messages
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
)
_FREEZE: Final = (
    1.5  # times the watchdog's limit, so that the watchdog reports a stall first if the event loop still runs
)


class Daemon:
    """The serving parts; created under the lock, independent of locks and signals."""

    def __init__(self, settings: DaemonSettings, build: Callable[[], Engine], place: listening.Place) -> None:
        self._health = health.aio.HealthServicer()
        self._place = place
        self._core = core = Core(settings, build, listener=self._report, name=place.name, beside=place.beside)
        self.lifecycle, self.service = core.lifecycle, core.service
        self._server = grpc.aio.server(
            options=(*_SERVER_OPTIONS, *place.options), interceptors=place.interceptors(core.service.forbid)
        )
        add_EmbedderServicer_to_server(core.service, self._server)  # type: ignore[no-untyped-call]  # generated
        self._server.add_registered_method_handlers(contract.SERVICE_NAME, core.service.decoding())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self) -> None:
        """Listen and start loading the model; raises as `Place.bind`."""
        await self._report(DaemonState.LOADING)
        self._place.bind(self._server)
        await self._server.start()
        self._core.start()

    async def stop(self, grace_s: float = DRAIN_S) -> bool:
        """Finish running calls and close; False if something still runs after the grace period (none after a stall)."""
        finished = await self._core.drain(grace_s)
        closing = asyncio.create_task(self._server.stop(_CLOSE_S))
        _, open_ones = await asyncio.wait([closing], timeout=2 * _CLOSE_S)  # a caller that does not read blocks it
        closed = self._core.close()
        return finished and not open_ones and closed

    async def _report(self, state: DaemonState) -> None:
        """Tell health checks."""
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if state.healthy else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", contract.SERVICE_NAME):
            await self._health.set(name, status)


async def run(settings: DaemonSettings) -> bool:
    """Serve until SIGTERM or SIGINT; returns whether every thread ended.

    Raises:
        DaemonError: why the daemon could not serve.
    """
    stopped = _on_signals()
    place = listening.place_of(settings)
    endpoint.prepare_folder(place.beside)
    lock = endpoint.lock_of(place.beside)
    if not await _locked(lock, stopped, supervised=settings.supervised):
        return True
    place.check_way()
    if sentence := homebrew_check.outdated():
        logs.get().warning(sentence)
    daemon = Daemon(settings, builder(settings), place)
    await daemon.start()
    logs.get().info("listening", address=settings.address)
    if settings.otel_endpoint:
        begin_traces(settings.otel_endpoint)
    if settings.metrics_address:
        _serve_metrics(settings.metrics_address, daemon)
    systemd.tell(systemd.READY, f"STATUS=listening on {settings.address}")
    guards = [
        asyncio.create_task(systemd.beat()),
        asyncio.create_task(_fail_when_lost(daemon.lifecycle, place)),
        asyncio.create_task(watchdog.against_freezing(_FREEZE * settings.watchdog_s)),
        asyncio.create_task(background.when_unmeasured(daemon.lifecycle, settings)),
    ]
    try:
        await _until_done(daemon.lifecycle, stopped)
        for guard in guards:
            guard.cancel()
        logs.get().info("stopping")
        systemd.tell(systemd.STOPPING)
        clean = await daemon.stop()
    finally:
        place.remove()
    if daemon.lifecycle.error:
        raise daemon.lifecycle.error
    return clean


def _serve_metrics(address: str, daemon: Daemon) -> None:
    """Serve the metrics; a failure is logged as an error, and the daemon runs without them."""
    try:
        from embedder_daemon import metrics  # noqa: PLC0415 - 10 ms of the start, only if enabled

        registry = metrics.make_registry(daemon.service.counters, daemon.service.info)
        url = metrics.serve(address, registry, lambda: daemon.lifecycle.state.healthy)
    except OSError as error:
        logs.get().error(f"metrics_address: cannot listen on {address} ({error.strerror}); there are no metrics")
    except ImportError as error:
        logs.get().error(f"metrics_address: {error.name} is missing, so there are no metrics; reinstall the daemon")
    else:
        logs.get().info("serving metrics", url=url)


async def _fail_when_lost(lifecycle: Lifecycle, place: listening.Place) -> None:
    await lifecycle.fail(await place.until_lost())


def _on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


async def _locked(lock: FileLock, stopped: asyncio.Event, *, supervised: bool) -> bool:
    """Acquire the lock; if another daemon holds it, wait if supervised, else give up."""
    if lock.take():
        return True
    if not supervised:
        logs.get().info(f"another daemon (process {lock.owner()}) holds {lock.path}: nothing to do")
        return False
    logs.get().info(f"another daemon (process {lock.owner()}) holds {lock.path}: waiting to take over")
    systemd.tell(f"STATUS=waiting for process {lock.owner()} to end")
    return await endpoint.take_when_free(lock, stopped)


async def _until_done(lifecycle: Lifecycle, stopped: asyncio.Event) -> None:
    """Wait for a signal, or for a failure and a moment for callers to get its reason."""
    waits = [asyncio.create_task(stopped.wait()), asyncio.create_task(lifecycle.failed.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if lifecycle.failed.is_set():
        await asyncio.wait([asyncio.create_task(stopped.wait())], timeout=_FAREWELL_S)
