"""LOADING, SERVING, ASLEEP, DRAINING and FAILED, as callers and health checks see them."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import contract, embedder_pb2

from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from embedder_daemon.errors import ModelMissingError
from tests.daemon.daemonkit import NOT_SERVING, SERVING, WAIT_S, GateEngine, serving


class SlowLoad:
    """Builds hash engines when told to, and counts them."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.gate = threading.Event()
        self.engines: list[GateEngine] = []
        if is_open:
            self.gate.set()

    def __call__(self) -> GateEngine:
        """Wait for the gate, and build."""
        assert self.gate.wait(WAIT_S)
        self.engines.append(GateEngine())
        return self.engines[-1]


async def test_loading_calls_wait_and_are_served(folder: Path) -> None:
    """While the model loads, Info answers, health says NOT_SERVING, and a patient call waits."""
    load = SlowLoad()
    async with serving(folder, load) as client:
        info = await client.info()
        assert (info.state, info.space_id) == (embedder_pb2.STATE_LOADING, "")
        assert [await client.health(name) for name in ("", contract.SERVICE_NAME)] == [NOT_SERVING] * 2
        waiting = asyncio.create_task(client.embed("patient"))
        await client.until_stats(lambda stats: stats.interactive.requests == 1, "the call waits")
        load.gate.set()
        assert (await waiting).vectors == hash_vector("patient")
        assert [await client.health(name) for name in ("", contract.SERVICE_NAME)] == [SERVING] * 2
        assert (await client.info()).state == embedder_pb2.STATE_SERVING


async def test_loading_refuses_a_deadline_it_will_not_make(folder: Path) -> None:
    """A call whose deadline comes before the model is UNAVAILABLE and told why, not DEADLINE_EXCEEDED."""
    load = SlowLoad()
    async with serving(folder, load) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="still loading") as caught:
            await client.embed("hasty", within_s=0.5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        load.gate.set()


async def test_a_failed_load_tells_those_who_wait(folder: Path) -> None:
    """Waiting and later calls get UNAVAILABLE with the reason; Info and health tell it too."""
    gate = threading.Event()

    def fail() -> HashEngine:
        assert gate.wait(WAIT_S)
        raise ModelMissingError("the model is on holiday")

    async with serving(folder, fail) as client:
        waiting = asyncio.create_task(client.embed("x"))
        await client.until_stats(lambda stats: stats.interactive.requests == 1, "the call waits")
        gate.set()
        for call in (waiting, client.embed("y")):
            with pytest.raises(grpc.aio.AioRpcError, match="on holiday") as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        info = await client.info()
        assert (info.state, info.cause) == (embedder_pb2.STATE_FAILED, "the model is on holiday")
        assert await client.health() == NOT_SERVING
        assert client.daemon.lifecycle.failed.is_set()


async def test_an_unknown_fault_of_a_load_keeps_its_text(folder: Path) -> None:
    """What a load raises unexpectedly is named by its kind; its text stays in the log."""

    def fail() -> HashEngine:
        raise MemoryError("private detail")

    async with serving(folder, fail) as client:
        await client.until_state(embedder_pb2.STATE_FAILED)
        cause = (await client.info()).cause
        assert "MemoryError" in cause
        assert "private" not in cause


async def test_idle_falls_asleep_and_a_call_wakes(folder: Path) -> None:
    """Asleep, the engine is closed and health stays SERVING; polling does not wake; ten calls load once."""
    load = SlowLoad(is_open=True)
    async with serving(folder, load, idle_unload_s=0.05) as client:
        await client.embed("x")
        await client.until_state(embedder_pb2.STATE_ASLEEP)
        await asyncio.to_thread(load.gate.clear)
        info = await client.info()
        assert info.space_id
        assert info.dimensions == 384
        assert await client.health() == SERVING
        assert all(engine.closed for engine in load.engines)
        loads = len(load.engines)  # more than one where the first call came after the idle time
        calls = [asyncio.create_task(client.embed(f"wake {n}")) for n in range(10)]
        await client.until_stats(lambda stats: stats.interactive.requests == 11, "all wait")
        load.gate.set()
        answers = await asyncio.gather(*calls)
        assert [answer.vectors for answer in answers] == [hash_vector(f"wake {n}") for n in range(10)]
        assert len(load.engines) == loads + 1


async def test_it_falls_asleep_by_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it comes, a daemon is awake 29 minutes after its last call, and asleep after 30."""
    loop, engine = asyncio.get_running_loop(), GateEngine()
    clock, minutes = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: clock() + 60 * minutes)
    async with serving(folder, lambda: engine) as client:
        await client.embed("x")
        minutes = 29.0
        await client.embed("x")  # from the cache, which wakes nobody and postpones nothing
        assert (await client.info()).state == embedder_pb2.STATE_SERVING
        minutes = 30.0
        await client.until_state(embedder_pb2.STATE_ASLEEP)
        assert (await client.embed("y")).vectors == hash_vector("y")


async def test_a_running_call_is_not_idle(folder: Path) -> None:
    """However long a forward pass takes, its engine stays; the idle time begins after it."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine, idle_unload_s=0.05) as client:
        call = asyncio.create_task(client.embed("long"))
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            assert (await client.info()).state in {embedder_pb2.STATE_LOADING, embedder_pb2.STATE_SERVING}
            if not engine.entered.is_set():
                end = time.monotonic() + 0.3
        engine.gate.set()
        assert (await call).vectors == hash_vector("long")
        await client.until_state(embedder_pb2.STATE_ASLEEP)


async def test_a_failed_daemon_does_not_fall_asleep(folder: Path) -> None:
    """What fails while it is idle stays FAILED beyond the idle time."""
    load = SlowLoad(is_open=True)
    async with serving(folder, load, idle_unload_s=0.3) as client:
        await client.until_state(embedder_pb2.STATE_SERVING)
        await client.daemon.lifecycle.fail(ModelMissingError("the model is on holiday"))
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert (await client.info()).state == embedder_pb2.STATE_FAILED
        assert not load.engines[0].closed


async def test_draining_finishes_what_runs_and_refuses_the_rest(folder: Path) -> None:
    """Draining, a running call is answered, a new one is UNAVAILABLE, Info answers, health says NOT_SERVING."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        running = asyncio.create_task(client.embed("running"))
        await client.until_stats(lambda _: engine.entered.is_set(), "the call runs")
        stopping = asyncio.create_task(client.daemon.stop(10))
        await client.until_state(embedder_pb2.STATE_DRAINING)
        assert await client.health() == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError, match="stopping") as caught:
            await client.embed("late")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        engine.gate.set()
        assert (await running).vectors == hash_vector("running")
        assert await stopping


async def test_draining_does_not_wait_for_a_load(folder: Path) -> None:
    """Calls that wait for the model are refused when the daemon stops; the stop says that a thread is left."""
    load = SlowLoad()
    async with serving(folder, load, stop_s=0.2) as client:
        waiting = asyncio.create_task(client.embed("x"))
        await client.until_stats(lambda stats: stats.interactive.requests == 1, "the call waits")
        assert not await client.daemon.stop(5)
        with pytest.raises(grpc.aio.AioRpcError, match="stopping"):
            await waiting
        load.gate.set()
