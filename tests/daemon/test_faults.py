"""Crowds, callers that leave or stall, and daemons that are killed: real processes and real signals."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no stubs

from embedder_daemon.engines.hash_engine import hash_vector
from tests.daemon.daemonkit import SERVING, WAIT_S, Process, until
from tests.daemon.soak import Soak, assert_flat

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
async def _channel(process: Process, number: int = 0) -> AsyncIterator[grpc.aio.Channel]:
    """Open a connection of its own for each number; gRPC would share one between channels of equal options."""
    options = [*contract.CHANNEL_OPTIONS, ("memory-mcp.number", number)]
    async with grpc.aio.insecure_channel(f"unix:{process.path}", options=options) as channel:
        yield channel


def _stub(channel: grpc.aio.Channel) -> embedder_pb2_grpc.EmbedderStub:
    return embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types


async def _stats(stub: embedder_pb2_grpc.EmbedderStub) -> embedder_pb2.StatsResponse:
    answer: embedder_pb2.StatsResponse = await stub.Stats(embedder_pb2.StatsRequest(), timeout=WAIT_S)
    return answer


CALL_TEXTS = 32


@dataclass
class Crowd:
    """Callers that ask for slow texts again and again, and what they met."""

    stub: embedder_pb2_grpc.EmbedderStub
    call_texts: int = CALL_TEXTS
    statuses: Counter[grpc.StatusCode] = field(default_factory=Counter)
    hints: list[int] = field(default_factory=list)
    served: int = 0
    calls: int = 0

    async def ask(self, callers: int, seconds: float) -> float:
        """Return the texts served per second to callers that wait for their answers."""
        end, before = time.monotonic() + seconds, self.served
        await asyncio.gather(*[self._caller(end) for _ in range(callers)])
        return (self.served - before) / (time.monotonic() - end + seconds)

    async def _caller(self, end: float) -> None:
        while time.monotonic() < end:
            await self._call()

    async def flood(self, calls_per_s: float, seconds: float) -> float:
        """Return the texts served per second while calls come at a fixed rate, whatever becomes of them."""
        begun, before, running = time.monotonic(), self.served, list[asyncio.Task[None]]()
        while (now := time.monotonic() - begun) < seconds:
            while len(running) < now * calls_per_s:
                running.append(asyncio.create_task(self._call()))
            await asyncio.sleep(0.005)  # the arrivals' clock
        served = (self.served - before) / now
        await asyncio.gather(*running)
        return served

    async def burst(self, calls: int) -> None:
        """Make so many calls at once."""
        await asyncio.gather(*(self._call() for _ in range(calls)))

    async def _call(self) -> None:
        self.calls += 1
        texts = [f"slow {self.calls} {number}" for number in range(self.call_texts)]
        try:
            await self.stub.Embed(embedder_pb2.EmbedRequest(texts=texts), timeout=WAIT_S)
            self.served += self.call_texts
            self.statuses[grpc.StatusCode.OK] += 1
        except grpc.aio.AioRpcError as error:
            self.statuses[error.code()] += 1
            self.hints.append(int(str(dict(error.trailing_metadata())[contract.RETRY_AFTER_KEY])))


async def _watch(channel: grpc.aio.Channel, process: Process, over: asyncio.Event) -> tuple[int, float]:
    """Return the longest queue and the most memory, as long as health answers."""
    stub, health, longest, most_mb = _stub(channel), health_pb2_grpc.HealthStub(channel), 0, 0.0
    while not over.is_set():
        most_mb = max(most_mb, process.resident_mb())
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=2.0)
        assert answer.status == SERVING
        longest = max(longest, (await _stats(stub)).interactive.queued_texts)
        await asyncio.wait([asyncio.create_task(over.wait())], timeout=0.05)
    return longest, most_mb


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.slow)])
async def test_ten_times_the_capacity(start: Start, seconds: float) -> None:
    """Queue and memory stay bounded, the rest is refused with a time, health answers, nine tenths are served."""
    process = start(*HASH, module=FAULTY, EMBEDDER_MAX_QUEUED_TEXTS="256", EMBEDDER_CACHE_MB="1").ready()
    async with _channel(process) as channel, _channel(process) as side:
        crowd, over = Crowd(_stub(channel)), asyncio.Event()
        await crowd.ask(8, 1.0)  # it learns how long a batch takes
        peak, before_mb = await crowd.ask(8, 1.0), process.resident_mb()
        assert set(crowd.statuses) == {grpc.StatusCode.OK}
        watching = asyncio.create_task(_watch(side, process, over))
        flooded = await crowd.flood(10 * peak / CALL_TEXTS, seconds)
        over.set()
        queued, most_mb = await watching
        peak = min(peak, await crowd.ask(8, 1.0))  # what else the machine does may be more by now
        assert queued <= 256
        assert most_mb < before_mb + 20
        assert set(crowd.statuses) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert all(50 <= hint <= 30_000 for hint in crowd.hints)
        assert flooded >= 0.9 * peak
        stats = await _stats(_stub(side))
        assert (stats.refused, stats.interactive.queued_texts) == (len(crowd.hints), 0)
    assert process.stop() == 0


@pytest.mark.parametrize("clients", [1, 6])
async def test_thousands_of_calls_at_once(start: Start, clients: int) -> None:
    """Each of 6,000 is served or told when to try again, on one connection or on several; gRPC itself ends none."""
    process = start(*HASH, module=FAULTY, EMBEDDER_MAX_QUEUED_TEXTS="256", EMBEDDER_CACHE_MB="0").ready()
    async with AsyncExitStack() as open_ones:
        channels = [await open_ones.enter_async_context(_channel(process, number)) for number in range(clients)]
        crowds = [Crowd(_stub(channel), call_texts=1) for channel in channels]
        await asyncio.gather(*(crowd.burst(6000 // clients) for crowd in crowds))
        statuses = sum((crowd.statuses for crowd in crowds), Counter[grpc.StatusCode]())
        assert set(statuses) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert statuses.total() == 6000
        assert all(50 <= hint <= 30_000 for crowd in crowds for hint in crowd.hints)
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


async def test_a_daemon_killed_under_load(start: Start) -> None:
    """Everybody who waits gets UNAVAILABLE, and the same channel reaches the next daemon."""
    process = start(*HASH, module=FAULTY).ready()
    async with _channel(process) as channel:
        stub = _stub(channel)
        requests = [embedder_pb2.EmbedRequest(texts=[f"slow {n} {word}" for word in "abcd"]) for n in range(100)]
        calls = [asyncio.ensure_future(stub.Embed(request, timeout=WAIT_S)) for request in requests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
        assert process.stop(signal.SIGKILL) == -signal.SIGKILL
        ends = await asyncio.gather(*calls, return_exceptions=True)
        errors = [end for end in ends if isinstance(end, grpc.aio.AioRpcError)]
        assert 0 < len(errors) < len(ends)
        assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
        start(*HASH).ready()
        answer = await stub.Embed(embedder_pb2.EmbedRequest(texts=["next"]), wait_for_ready=True, timeout=WAIT_S)
        assert answer.vectors == hash_vector("next")


def _serving(racers: list[Process]) -> list[Process]:
    return [racer for racer in racers if "READY" in racer.log.read_text()]


@pytest.mark.slow
def test_fifty_races_for_the_socket(start: Start, folder: Path) -> None:
    """Each time one serves and losers by hand exit 0; a supervised loser takes over, however the winner ended."""
    for race in range(50):
        number = (signal.SIGTERM, signal.SIGKILL)[race % 2]
        racers = [start(*HASH), start(*HASH, "--supervised"), start(*HASH)]
        supervised = racers[1]
        until(partial(_serving, racers), f"one of race {race} serves")
        (winner,) = _serving(racers)
        assert winner.embed(f"race {race}").vectors == hash_vector(f"race {race}")
        assert {racer.wait() for racer in racers if racer not in {winner, supervised}} == {0}
        if winner is not supervised:
            supervised.logged("waiting to take over")
            assert winner.stop(number) == (0 if number == signal.SIGTERM else -number)
        assert supervised.ready().embed("then").vectors == hash_vector("then")
        assert supervised.stop(number) == (0 if number == signal.SIGTERM else -number)
    assert {path.name for path in folder.iterdir()} - {"home"} >= {"e.sock.lock"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("minutes", [30.0])
async def test_mixed_load_leaves_nothing(start: Start, minutes: float) -> None:
    """Half an hour of callers of every kind costs no memory but grpc's, no descriptor and no thread, and it exits 0."""
    process = start(*HASH, EMBEDDER_CACHE_MB="1").ready()
    soak = Soak(f"unix:{process.path}")
    samples = await soak.run(process.popen.pid, 60 * minutes)
    assert_flat(samples, soak.ended_early)
    assert min(soak.rounds.values()) > 100 * minutes
    assert process.stop() == 0
