"""Crowds, callers that leave or stall, and daemons that are killed: real processes and real signals."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no stubs

from embedder_daemon.engines.hash_engine import hash_vector
from tests.daemon.daemonkit import SERVING, WAIT_S, Process, until

Start = Callable[..., Process]
HASH = ("--engine", "hash")
FAULTY = "tests.daemon.faulty"

SILENT_CLIENT = """
import sys, grpc
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc
channel = grpc.insecure_channel("unix:" + sys.argv[1], options=contract.CHANNEL_OPTIONS)
stub = embedder_pb2_grpc.EmbedderStub(channel)
calls = [
    stub.Embed.future(embedder_pb2.EmbedRequest(texts=[f"slow {call} {n}" for n in range(256)])) for call in range(12)
]
[call.result() for call in calls]
"""


@asynccontextmanager
async def _channel(process: Process) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"unix:{process.path}", options=contract.CHANNEL_OPTIONS) as channel:
        yield channel


def _stub(channel: grpc.aio.Channel) -> embedder_pb2_grpc.EmbedderStub:
    return embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types


async def _stats(stub: embedder_pb2_grpc.EmbedderStub) -> embedder_pb2.StatsResponse:
    answer: embedder_pb2.StatsResponse = await stub.Stats(embedder_pb2.StatsRequest(), timeout=WAIT_S)
    return answer


@dataclass
class Crowd:
    """Callers that ask for 32 texts again and again, and what they met."""

    stub: embedder_pb2_grpc.EmbedderStub
    statuses: Counter[grpc.StatusCode] = field(default_factory=Counter)
    hints: list[int] = field(default_factory=list)
    refusals_s: list[float] = field(default_factory=list)

    async def ask(self, callers: int, seconds: float) -> float:
        """Return the texts served per second."""
        end = time.monotonic() + seconds
        served = await asyncio.gather(*[self._caller(f"{callers} {number}", end) for number in range(callers)])
        return sum(served) / seconds

    async def _caller(self, name: str, end: float) -> int:
        served = 0
        while time.monotonic() < end:
            texts = [f"{name} {served} {number} {time.monotonic_ns()}" for number in range(32)]
            started = time.monotonic()
            try:
                served += len((await self.stub.Embed(embedder_pb2.EmbedRequest(texts=texts), timeout=WAIT_S)).items)
                self.statuses[grpc.StatusCode.OK] += 1
            except grpc.aio.AioRpcError as error:
                self.statuses[error.code()] += 1
                self.refusals_s.append(time.monotonic() - started)
                self.hints.append(int(str(dict(error.trailing_metadata())[contract.RETRY_AFTER_KEY])))
                await asyncio.sleep(self.hints[-1] / 1000)  # as the daemon asked
        return served


async def _watch(channel: grpc.aio.Channel, over: asyncio.Event) -> int:
    """Return the longest queue, as long as health answers."""
    stub, health, longest = _stub(channel), health_pb2_grpc.HealthStub(channel), 0
    while not over.is_set():
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=2.0)
        assert answer.status == SERVING
        longest = max(longest, (await _stats(stub)).interactive.queued_texts)
    return longest


async def test_ten_times_the_capacity(start: Start) -> None:
    """The queue stays bounded, the rest is refused with a time, health answers, and nearly as much is served."""
    process = start(*HASH, EMBEDDER_MAX_QUEUED_TEXTS="256").ready()
    async with _channel(process) as channel, _channel(process) as side:
        crowd, over = Crowd(_stub(channel)), asyncio.Event()
        peak = await crowd.ask(8, 1.0)
        assert set(crowd.statuses) == {grpc.StatusCode.OK}
        watching = asyncio.create_task(_watch(side, over))
        flooded = await crowd.ask(80, 2.0)
        over.set()
        assert await watching <= 256
        assert set(crowd.statuses) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert all(50 <= hint <= 30_000 for hint in crowd.hints)
        assert flooded > peak / 2
        stats = await _stats(_stub(side))
        assert (stats.refused, stats.interactive.queued_texts) == (len(crowd.hints), 0)
    assert process.stop() == 0


async def test_a_thousand_calls_cancelled_halfway(start: Start) -> None:
    """Some are computed, the others leave, nothing stays behind, and the next call is served."""
    process = start(*HASH, module=FAULTY).ready()
    async with _channel(process) as channel:
        stub = _stub(channel)
        calls = [stub.Embed(embedder_pb2.EmbedRequest(texts=[f"slow {n}", f"slow {n} b"])) for n in range(1000)]
        waits = [asyncio.ensure_future(call) for call in calls]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
        for call in calls:
            call.cancel()
        ends = await asyncio.gather(*waits, return_exceptions=True)
        assert any(isinstance(end, asyncio.CancelledError) for end in ends)
        answer = await stub.Embed(embedder_pb2.EmbedRequest(texts=["next"]), timeout=WAIT_S)
        assert answer.vectors == hash_vector("next")
        stats = await _stats(stub)
        assert stats.interactive.queued_texts == 0
        assert stats.rows < 2000
    assert process.stop() == 0


def test_a_client_that_stops_reading_holds_up_nobody(start: Start) -> None:
    """One that sleeps with twelve full answers under way costs the others nothing, and SIGTERM still exits 0."""
    process = start(*HASH, module=FAULTY).ready()
    with subprocess.Popen([sys.executable, "-c", SILENT_CLIENT, str(process.path)]) as client:
        process.until_busy(12)
        client.send_signal(signal.SIGSTOP)
        try:
            for number in range(5):
                assert process.embed(f"other {number}", client="other").vectors == hash_vector(f"other {number}")
            assert process.stop() == 0
        finally:
            client.kill()


def test_a_daemon_killed_in_a_batch(start: Start) -> None:
    """Its callers get UNAVAILABLE, not silence, and the next daemon serves at the same address."""
    process = start(*HASH, module=FAULTY).ready()
    with pytest.raises(grpc.RpcError) as caught:
        process.embed("please kill")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert process.wait() == -signal.SIGKILL
    assert start(*HASH).ready().embed("x").vectors == hash_vector("x")


def _ended(racers: list[Process], wanted: int) -> bool:
    return sum(racer.popen.poll() is not None for racer in racers) == wanted


@pytest.mark.slow
def test_fifty_races_for_the_socket(start: Start, folder: Path) -> None:
    """Each time one of three serves and the others exit 0, whether the last winner was stopped or killed."""
    for race in range(50):
        racers = [start(*HASH) for _ in range(3)]
        until(partial(_ended, racers, 2), f"two of race {race} end")
        (winner,) = [racer for racer in racers if racer.popen.poll() is None]
        assert [racer.popen.poll() for racer in racers if racer is not winner] == [0, 0]
        assert winner.ready().embed(f"race {race}").vectors == hash_vector(f"race {race}")
        number = (signal.SIGTERM, signal.SIGKILL)[race % 2]
        assert winner.stop(number) == (0 if number == signal.SIGTERM else -number)
    assert {path.name for path in folder.iterdir()} - {"home"} >= {"e.sock.lock"}
