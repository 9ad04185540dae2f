"""The daemon's states: LOADING → SERVING ⇄ ASLEEP → DRAINING, or FAILED."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

from embedder_daemon import logs
from embedder_daemon.engines.base import Engine, EngineFacts
from embedder_daemon.errors import DaemonError, LoadError, UnavailableError
from embedder_daemon.scheduler.scheduler import Scheduler
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.system import heap

_MARGIN_S: Final = 0.05  # before a waiting caller's deadline, so that the reason still reaches it


class DaemonState(StrEnum):
    """The daemon's states."""

    LOADING = "loading"
    SERVING = "serving"
    ASLEEP = "asleep"
    DRAINING = "draining"
    FAILED = "failed"

    @property
    def healthy(self) -> bool:
        """Whether health checks are answered with SERVING."""
        return self in {DaemonState.SERVING, DaemonState.ASLEEP}


StateListener = Callable[[DaemonState], Awaitable[None]]


class Lifecycle:
    """Owns the engine: loads it, lends it to calls, drops it when idle."""

    def __init__(
        self,
        build: Callable[[], Engine],
        worker: Worker,
        scheduler: Scheduler,
        *,
        idle_unload_s: float,
        listener: StateListener,
    ) -> None:
        self.state = DaemonState.LOADING
        self.facts: EngineFacts | None = None
        self.error: DaemonError | None = None
        self.failed = asyncio.Event()
        self._build = build
        self._worker = worker
        self._scheduler = scheduler
        self._idle_unload_s = idle_unload_s
        self._listener = listener
        self._engine: Engine | None = None
        self._settled = asyncio.Event()  # set once an engine is loaded or loading has failed
        self._free = asyncio.Event()  # set while no call runs
        self._free.set()
        self._calls = 0
        self._loading: asyncio.Task[None] | None = None
        self._woken_at: float | None = None  # set during a reload
        self._sleeping: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start loading the model in the background."""
        self._loading = asyncio.create_task(self._load())

    @asynccontextmanager
    async def engine(self, deadline: float) -> AsyncIterator[Engine]:
        """Lend the engine to one call; waits for it or wakes it. `deadline` is on time.monotonic.

        Raises:
            UnavailableError: draining, failed, or not loaded before the deadline.
        """
        self._calls += 1
        self._free.clear()
        self._stop_timer()
        try:
            yield await self._ready(deadline)
        finally:
            self._calls -= 1
            if not self._calls:
                self._free.set()
                self._start_timer()

    def waking_s(self) -> float:
        """Return how long a reload has been running while calls wait; a first load has no limit."""
        return time.monotonic() - self._woken_at if self._calls and self._woken_at is not None else 0.0

    async def drain(self, grace_s: float) -> bool:
        """Refuse new calls and wait for the running ones; return whether they ended within the grace period."""
        self._stop_timer()
        await self._enter(DaemonState.DRAINING)
        self._settled.set()  # refuse calls that wait for a load now
        try:
            async with asyncio.timeout(grace_s):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    async def _ready(self, deadline: float) -> Engine:
        if self.state is DaemonState.ASLEEP and (self._loading is None or self._loading.done()):
            self._woken_at = time.monotonic()
            self._loading = asyncio.create_task(self._load())
        await self._wait(deadline)
        if self.error:
            raise UnavailableError(f"the daemon failed: {self.error}")
        if self.state is DaemonState.DRAINING:
            raise UnavailableError("the daemon is stopping")
        if self._engine is None:
            raise UnavailableError("the model is still loading and will not be ready before the deadline")
        return self._engine

    async def _wait(self, deadline: float) -> None:
        """Wait until the load has ended, or almost until the deadline."""
        if self._settled.is_set():
            return
        timeout = None if math.isinf(deadline) else max(0.0, deadline - _MARGIN_S - time.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        except TimeoutError:
            return  # the caller checks the state itself

    async def _load(self) -> None:
        """Build the engine on the worker's thread."""
        started = time.monotonic()
        try:
            engine = await self._worker.run(self._build)
        except DaemonError as error:
            await self.fail(error)
        except Exception as error:  # noqa: BLE001 - any error of a load makes the daemon FAILED
            logs.get().error("the load raised", error=repr(error))
            await self.fail(LoadError(f"the model could not be loaded ({type(error).__name__}); see the daemon's log"))
        else:
            await self._serve(engine, time.monotonic() - started)

    async def fail(self, error: DaemonError) -> None:
        """Refuse waiting and new calls with the reason; running calls continue."""
        self.error = error
        self._stop_timer()
        if self.state is not DaemonState.DRAINING:
            await self._enter(DaemonState.FAILED)
        self._settled.set()
        self.failed.set()

    async def _serve(self, engine: Engine, seconds: float) -> None:
        self._engine, self.facts = engine, engine.facts
        self._woken_at = None
        self._scheduler.attach(engine)
        if self.state not in {DaemonState.DRAINING, DaemonState.FAILED}:
            await self._enter(DaemonState.SERVING)
        self._settled.set()
        logs.get().info(
            "READY",
            space_id=engine.facts.space.space_id,
            engine=engine.facts.name,
            device=engine.facts.device,
            precision=engine.facts.precision,
            choice=engine.facts.choice,
            load_s=round(seconds, 2),
        )
        if not self._calls:
            self._start_timer()

    async def _enter(self, state: DaemonState) -> None:
        self.state = state
        await self._listener(state)

    def _start_timer(self) -> None:
        """Unload the engine when idle; only calls of Embed count, so that polling neither wakes it nor delays this."""
        self._stop_timer()
        if self._idle_unload_s and self.state is DaemonState.SERVING:
            self._timer = asyncio.get_running_loop().call_later(self._idle_unload_s, self._fall_asleep)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _fall_asleep(self) -> None:
        """Detach the engine at once, so that a call that arrives now waits for a new one."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        self._settled.clear()
        self._scheduler.attach(None)
        self.state = DaemonState.ASLEEP
        self._sleeping = asyncio.create_task(self._unload(engine))

    async def _unload(self, engine: Engine) -> None:
        """Unload the weights on the worker's thread, after the work that still runs there."""
        await self._worker.run(_drop, engine)
        logs.get().info("asleep: the weights were unloaded", idle_s=self._idle_unload_s)


def _drop(engine: Engine) -> None:
    """Close the engine, and return its memory to the system."""
    engine.close()
    gc.collect()  # a model's modules refer to each other
    heap.give_back()
