"""Daemons that hang, freeze, or lose their socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psutil
import pytest
from embedder_api.v1 import embedder_pb2

from embedder_daemon.engines.base import Encoded
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from embedder_daemon.errors import StalledError
from tests.daemon.daemonkit import NOT_SERVING, WAIT_S, GateEngine, Process, SlowTokens, serving, until

Start = Callable[..., Process]
FAULTY = ("--engine", "hash")


async def test_a_hanging_model_fails_its_callers(folder: Path) -> None:
    """Who is computed, who waits and who comes gets UNAVAILABLE, and health says NOT_SERVING."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine, watchdog_s=0.3, stop_s=0.2) as client:
        calls = [asyncio.create_task(client.embed(f"text {number}")) for number in range(3)]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError, match="hangs") as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await client.health() == NOT_SERVING
        assert isinstance(client.daemon.lifecycle.error, StalledError)
        with pytest.raises(grpc.aio.AioRpcError, match="hangs"):
            await client.embed("late")
        engine.gate.set()


async def test_a_model_that_hangs_on_waking_fails_its_callers(folder: Path) -> None:
    """A first load may take its time; one for a call that woke the model may not, and its caller gets the reason."""
    gate, builds = threading.Event(), list[int]()

    def build() -> HashEngine:
        builds.append(1)
        assert len(builds) < 2 or gate.wait(WAIT_S)
        return HashEngine()

    async with serving(folder, build, watchdog_s=0.3, idle_unload_s=0.05, stop_s=0.2) as client:
        await client.until_state(embedder_pb2.STATE_ASLEEP)
        with pytest.raises(grpc.aio.AioRpcError, match="loading it hangs"):
            await client.embed("wake", within_s=5.0)
        assert await client.health() == NOT_SERVING
        assert isinstance(client.daemon.lifecycle.error, StalledError)
        gate.set()


class HangingEngine(SlowTokens):
    """Its forward pass waits for the same gate."""

    def __init__(self) -> None:
        super().__init__()
        self.later = threading.Event()

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Wait."""
        assert self.later.wait(WAIT_S)
        return super().forward(batch)


async def test_a_stall_refuses_who_comes_to_the_queue_afterwards(folder: Path) -> None:
    """A call that was being tokenised when the others failed gets the reason, too, and does not hold up the end."""
    engine = HangingEngine()
    async with serving(folder, lambda: engine, watchdog_s=0.3) as client:
        tokenised = [asyncio.create_task(client.embed("hold " + 600 * word, within_s=5.0)) for word in "ab"]
        await client.until_stats(lambda _: engine.held, "they are being tokenised")
        with pytest.raises(grpc.aio.AioRpcError, match="hangs"):
            await client.embed("x")
        engine.gate.set()
        for call in tokenised:
            with pytest.raises(grpc.aio.AioRpcError, match="hangs") as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        engine.later.set()


async def test_a_stalled_daemon_ends_without_grace(folder: Path) -> None:
    """Whoever is still tokenised after a stall is not waited for."""
    engine = HangingEngine()
    async with serving(folder, lambda: engine, watchdog_s=0.3) as client:
        tokenised = asyncio.create_task(client.embed("hold " * 600))
        await client.until_stats(lambda _: engine.held, "it is being tokenised")
        with pytest.raises(grpc.aio.AioRpcError, match="hangs"):
            await client.embed("x")
        assert not await asyncio.wait_for(client.daemon.stop(10 * WAIT_S), WAIT_S)
        with pytest.raises(grpc.aio.AioRpcError):
            await tokenised
        engine.gate.set()
        engine.later.set()


async def test_slow_progress_is_progress(folder: Path) -> None:
    """A backlog that takes longer than the limit, each batch of it less, is computed; idle time is no stall."""
    engine = GateEngine()
    async with serving(folder, lambda: engine, watchdog_s=0.3) as client:
        for number in range(8):
            await asyncio.to_thread(engine.gate.clear)
            call = asyncio.create_task(client.embed(f"text {number}"))
            await client.until_stats(lambda stats: stats.interactive.queued_texts == 0, "it runs or did")
            engine.gate.set()
            assert (await call).vectors == hash_vector(f"text {number}")
        assert client.daemon.lifecycle.error is None


def test_a_hanging_process_ends_with_its_own_code(start: Start) -> None:
    """The caller gets the reason, the process exits 17 in one line, and the next one serves."""
    process = start(*FAULTY, module="tests.daemon.faulty", EMBEDDER_WATCHDOG_S="0.5").ready()
    with pytest.raises(grpc.RpcError, match="hangs"):
        process.embed("please hang")
    assert process.wait() == 17
    assert json.loads(process.lines()[-1])["exit_code"] == 17
    assert not process.path.exists()
    assert start(*FAULTY).ready().embed("x").vectors == hash_vector("x")


def test_a_frozen_process_ends(start: Start) -> None:
    """A library that never gives Python's lock back cannot keep the process: it exits 1 with a traceback."""
    process = start(*FAULTY, module="tests.daemon.faulty", EMBEDDER_WATCHDOG_S="0.5").ready()
    with pytest.raises(grpc.RpcError):
        process.embed("please freeze")
    assert process.wait() == 1
    assert "Timeout" in process.log.read_text()
    assert start(*FAULTY).ready().embed("x").vectors == hash_vector("x")


@pytest.mark.parametrize("stops", [1, 3])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_process_that_was_stopped_goes_on(start: Start, *, busy: bool, stops: int) -> None:
    """Time in which the process could not run is no stall: it computes what waited, and serves."""
    process = start(*FAULTY, module="tests.daemon.faulty", EMBEDDER_WATCHDOG_S="1").ready()
    with ThreadPoolExecutor() as pool:
        texts = [f"slow {number}" for number in range(48 if busy else 1)]
        call = pool.submit(process.embed, *texts)
        if busy:
            process.until_busy()
        else:
            call.result()
        for _ in range(stops):
            process.popen.send_signal(signal.SIGSTOP)
            pause(2.5)  # the event loop's limit is 1.5 s
            process.popen.send_signal(signal.SIGCONT)
            assert process.embed("fast").vectors == hash_vector("fast")
        assert len(call.result().items) == len(texts)
    assert process.popen.poll() is None
    assert process.stop() == 0


def pause(seconds: float) -> None:
    """Let time pass, which is all that happens to a stopped process."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, "time passed", 2 * seconds)


def test_nobody_is_left_of_a_killed_daemon(start: Start) -> None:
    """The process that watches over the event loop ends with it, however that happens."""
    process = start(*FAULTY).ready()
    children = children_of(process.popen.pid)
    assert len(children) == 1
    process.popen.kill()
    process.wait()
    until(lambda: not any(map(psutil.pid_exists, children)), "it ended")


def test_without_a_watcher_the_daemon_serves(start: Start) -> None:
    """Whoever ends the process that watches over the event loop ends nothing else, and the log says so."""
    process = start(*FAULTY, EMBEDDER_WATCHDOG_S="0.5").ready()
    (watcher,) = children_of(process.popen.pid)
    os.kill(watcher, signal.SIGKILL)
    process.logged("nobody watches over the event loop")
    assert process.embed("x").vectors == hash_vector("x")
    assert process.stop() == 0


def children_of(pid: int) -> list[int]:
    """Return the processes that it started."""
    return [child.pid for child in psutil.Process(pid).children()]


def test_a_hangup_under_nohup_is_ignored(start: Start) -> None:
    """Where the signal was ignored before, it stays so; else it ends the process with code 1."""
    ignoring = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(*FAULTY).ready()
    finally:
        signal.signal(signal.SIGHUP, ignoring)
    process.popen.send_signal(signal.SIGHUP)
    assert process.embed("x").vectors == hash_vector("x")
    assert process.stop() == 0
    other = start(*FAULTY).ready()
    assert other.stop(signal.SIGHUP) == 1


def test_a_removed_socket_is_noticed(start: Start) -> None:
    """Within five seconds the process exits 18, after it answered who was there; what took the socket's place stays."""
    process = start(*FAULTY, module="tests.daemon.faulty").ready()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(process.embed, *[f"slow {number}" for number in range(64)])
        process.until_busy()
        process.path.unlink()
        process.path.write_text("mine")
        until(lambda: process.popen.poll() is not None, "the process ends", 5.0)
        assert len(call.result().items) == 64
    assert process.wait() == 18
    assert process.path.read_text() == "mine"
