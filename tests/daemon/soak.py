"""Mixed load for as long as one likes, and what it leaves behind; the tests of both interpreters use it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no stubs

_SAMPLES = 120
_PAUSE_S = 0.01
_LIMIT_S = 60.0
_SENTENCE = "the ferry to the island leaves at half past six and our landlord agreed to replace the old boiler"
_WORDS = _SENTENCE.split()
_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds at one moment, or how much more of it is allowed."""

    resident_mb: float
    descriptors: float
    threads: float


ALLOWED = Held(resident_mb=6.0, descriptors=4.0, threads=2.0)
"""Growth of the median from the second quarter of a run to its last; the first one warms up."""

LOST_BYTES = 48
"""What grpc.aio never frees of a call whose caller left or whose deadline passed, on average over the soak's.

A batch of its operations that fails, or that nobody awaits any more, is dropped without its array (grpc/grpc#43360).
A server with nothing of ours in it loses 30 to 70 bytes of such a call. The client loses about a thousand, and at times
the answer: the process that soaks grows by hundreds of megabytes. `test_grpc` tells when grpc is fixed.
"""


def held(process: int) -> Held:
    """Look at a process (Linux alone tells all three)."""
    folder = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    resident_kb = int(status["VmRSS"].split()[0])
    return Held(resident_kb / 1024, len(list((folder / "fd").iterdir())), int(status["Threads"]))


def growth(samples: Sequence[Held]) -> Held:
    """Return how much more the median of the last quarter is than that of the second."""
    quarter = len(samples) // 4
    early = zip(*map(astuple, samples[quarter : 2 * quarter]), strict=True)
    late = zip(*map(astuple, samples[-quarter:]), strict=True)
    return Held(*(statistics.median(last) - statistics.median(first) for first, last in zip(early, late, strict=True)))


def assert_flat(samples: Sequence[Held], ended_early: int) -> None:
    """Fail where more is held than is allowed; half of the calls that ended early lie between the two medians."""
    grown, lost_mb = growth(samples), ended_early / 2 * LOST_BYTES / 2**20
    allowed = replace(ALLOWED, resident_mb=ALLOWED.resident_mb + lost_mb)
    flat = all(more <= most for more, most in zip(astuple(grown), astuple(allowed), strict=True))
    assert flat, (grown, allowed, samples[-1])


class Soak:
    """Callers of every kind, each again and again."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._over = asyncio.Event()
        self._numbers = itertools.count()
        self.rounds = dict.fromkeys(("ask", "ingest", "leave", "err", "reconnect", "poll"), 0)
        self.ended_early = 0
        """Calls that were cancelled, or whose deadline passed."""

    async def run(self, process: int, seconds: float, fewest: float = 0) -> list[Held]:
        """Load the daemon for so long, and return what it held meanwhile.

        A slow machine goes on until every kind of caller has had more than the fewest rounds, within a limit.
        """
        async with self._channel() as channel:
            stub = _stub(channel)
            works = (self._ask, self._ingest, self._leave, self._err)
            callers = [asyncio.create_task(self._repeat(partial(work, stub))) for work in works]
            callers.append(asyncio.create_task(self._repeat(self._reconnect)))
            callers.append(asyncio.create_task(self._repeat(partial(self._poll, channel))))
            samples = [held(process) async for _ in _ticks(seconds, callers)]
            async with asyncio.timeout(_LIMIT_S):
                while min(self.rounds.values()) <= fewest:
                    await _alive(callers, _PAUSE_S)
            self._over.set()
            await asyncio.gather(*callers)
        return samples

    async def _repeat(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        name = getattr(work, "func", work).__name__.lstrip("_")
        while not self._over.is_set():
            await work()
            self.rounds[name] += 1
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PAUSE_S):
                await self._over.wait()

    def _channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(
            self._address, options=(*contract.CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        )

    def _texts(self, count: int) -> Iterator[str]:
        """Make texts of all lengths that were not there before, of words that were: engines remember words."""
        for number in itertools.islice(self._numbers, count):
            yield " ".join([*str(number), *_WORDS[: number % len(_WORDS)] * (1 + number % 5)])

    async def _ask(self, stub: embedder_pb2_grpc.EmbedderStub) -> None:
        """Be a person who searches."""
        answer = await _embed(stub, *self._texts(1), lane=embedder_pb2.LANE_INTERACTIVE, task=embedder_pb2.TASK_QUERY)
        assert len(answer.vectors) == answer.dimensions * 4

    async def _ingest(self, stub: embedder_pb2_grpc.EmbedderStub) -> None:
        """Be somebody who stores much, some of it twice, some of it known."""
        texts = list(self._texts(64))
        answer = await _embed(stub, *texts, texts[0], "known", lane=embedder_pb2.LANE_BULK)
        assert len(answer.vectors) == 66 * answer.dimensions * 4

    async def _leave(self, stub: embedder_pb2_grpc.EmbedderStub) -> None:
        """Be four callers that go, at once or while they are computed."""
        calls = [asyncio.create_task(_embed(stub, *self._texts(8))) for _ in range(4)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=_PAUSE_S)
        for call in calls:
            call.cancel()
        for end in await asyncio.gather(*calls, return_exceptions=True):
            assert not isinstance(end, Exception), end  # CancelledError is none
            self.ended_early += isinstance(end, asyncio.CancelledError)

    async def _err(self, stub: embedder_pb2_grpc.EmbedderStub) -> None:
        """Be whoever sends what is no text, no request, or has no time."""
        answer = await _embed(stub, "", " \0 ", "long " * 400, "\u0301" * 500)
        assert len(answer.items) == 4
        await _refused(_embed(stub, *["x"] * 257))
        await _refused(_embed(stub, "x", expected_space_id="another"))
        status = await _refused(_embed(stub, *self._texts(32), within_s=0.001))
        self.ended_early += status is grpc.StatusCode.DEADLINE_EXCEEDED

    async def _reconnect(self) -> None:
        """Be a front that starts and ends."""
        async with self._channel() as channel:
            await _stub(channel).Info(embedder_pb2.InfoRequest(), timeout=_LIMIT_S)

    async def _poll(self, channel: grpc.aio.Channel) -> None:
        """Be a monitor."""
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_LIMIT_S)
        await _stub(channel).Stats(embedder_pb2.StatsRequest(), timeout=_LIMIT_S)


async def _ticks(seconds: float, callers: Sequence[asyncio.Task[None]]) -> Any:
    """Yield at even times, for as long as every caller lives."""
    begun = time.monotonic()
    for tick in range(_SAMPLES):
        rest = begun + seconds * (tick + 1) / _SAMPLES - time.monotonic()
        await _alive(callers, max(0.0, rest))
        yield tick


async def _alive(callers: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Wait so long, or fail with the caller that has ended."""
    ended, _ = await asyncio.wait(callers, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for caller in ended:
        caller.result()  # which raises


def _stub(channel: grpc.aio.Channel) -> embedder_pb2_grpc.EmbedderStub:
    return embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types


async def _embed(
    stub: embedder_pb2_grpc.EmbedderStub, *texts: str, within_s: float = _LIMIT_S, **fields: Any
) -> embedder_pb2.EmbedResponse:
    request = embedder_pb2.EmbedRequest(texts=texts, **fields)
    answer: embedder_pb2.EmbedResponse = await stub.Embed(request, timeout=within_s)
    return answer


async def _refused(call: Coroutine[Any, Any, embedder_pb2.EmbedResponse]) -> grpc.StatusCode:
    """Return what a wrong or hasty call gets: one of the expected statuses, or OK for an answer just in time."""
    end = (await asyncio.gather(call, return_exceptions=True))[0]
    if not isinstance(end, grpc.aio.AioRpcError):
        return grpc.StatusCode.OK
    assert end.code() in _REFUSALS, end
    return end.code()
