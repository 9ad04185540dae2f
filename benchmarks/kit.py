"""Shared by the benchmarks: texts, percentiles, a private daemon, and the format of figures."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.contract import CHANNEL_OPTIONS
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
FRONT = ROOT / ".venv" / "bin" / "memory-mcp"
DAEMON = ROOT / ".venv-daemon" / "bin" / "embedder-daemon"
MODEL_PYTHON = ROOT / ".venv-daemon" / "bin" / "python"
PATIENCE_S = 120.0


def percentile(values: list[float], part: float) -> float:
    """Return a percentile of the values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


async def seconds(work: Callable[[int], Awaitable[object]], repeats: int) -> list[float]:
    """Return the seconds of each call, made one after another."""
    took = []
    for number in range(repeats):
        begun = time.perf_counter()
        await work(number)
        took.append(time.perf_counter() - begun)
    return took


async def p50(work: Callable[[int], Awaitable[object]], repeats: int = 100) -> float:
    """Return the median seconds of one call."""
    return percentile(await seconds(work, repeats), 0.5)


def report(what: str, value: float, against: str, base: float, unit: str, target: str = "") -> None:
    """Print a ratio with its two parts and its goal."""
    goal = f" (target: {target})" if target else ""
    say(f"{value / base:6.2f} x  {what}: {value:.1f} {unit}, against {against}: {base:.1f} {unit}{goal}")


def say(line: str) -> None:
    """Print a line without buffering."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass
class Daemon:
    """A daemon that serves, and one channel to it."""

    address: str
    pid: int
    start_s: float
    """From the start of its process to the first health check that says SERVING."""
    stub: EmbedderStub

    def channel(self, number: int = 0) -> grpc.aio.Channel:
        """Open another connection; gRPC would share one between channels of equal options."""
        return grpc.aio.insecure_channel(self.address, options=[*CHANNEL_OPTIONS, ("memory-mcp.number", number)])

    async def embed(self, texts: list[str], lane: pb.Lane = pb.LANE_INTERACTIVE, client: str = "") -> pb.EmbedResponse:
        """Call Embed on the shared channel."""
        request = pb.EmbedRequest(texts=texts, lane=lane, truncate=True, client=client)
        answer: pb.EmbedResponse = await self.stub.Embed(request, timeout=PATIENCE_S)
        return answer

    async def stats(self) -> pb.StatsResponse:
        """Call Stats."""
        answer: pb.StatsResponse = await self.stub.Stats(pb.StatsRequest(), timeout=PATIENCE_S)
        return answer

    def resident_mb(self) -> float:
        """Return the resident memory of the process, in MB."""
        shown = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(shown.stdout) / 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a retrieval benchmark is asked for: `[--model NAME] [--questions N] [--postgres] [FOLDER [SET ...]]`."""

    daemon: Sequence[str]
    """The arguments of its daemon."""
    questions: int
    """Of each set, evenly chosen."""
    data: Path
    names: Sequence[str]
    in_postgres: bool = False
    """Whether memories lie in PostgreSQL; only benchmarks.retrieval knows it."""

    @classmethod
    def of(cls, arguments: Sequence[str], questions: int = sys.maxsize) -> Asked:
        """Read a benchmark's arguments."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--model")
        parser.add_argument("--questions", type=int, default=questions)
        parser.add_argument("--postgres", action="store_true")
        parser.add_argument("data", nargs="?", type=Path, default=DATA)
        parser.add_argument("names", nargs="*")
        given = parser.parse_args(arguments)
        model = ("--model", given.model) if given.model else ()
        return cls(model, given.questions, given.data, given.names, given.postgres)


@asynccontextmanager
async def daemon(folder: str, *arguments: str, program: Sequence[str | Path] = (DAEMON,)) -> AsyncIterator[Daemon]:
    """Run a daemon with these arguments at a socket in the folder during the block."""
    address = f"unix:{folder}/e.sock"
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *program, "--address", address, *arguments, stderr=subprocess.DEVNULL, env=_environment()
    )
    try:
        async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
            stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
            await _until_serving(stub, Path(f"{folder}/e.sock"))
            start_s = time.perf_counter() - begun
            yield Daemon(address, process.pid, start_s, stub)
    finally:
        process.terminate()
        await process.wait()


async def _until_serving(stub: EmbedderStub, socket: Path) -> None:
    """Ask until it serves; a channel that is used before the socket is there would not try again for a second."""
    while not (_is_there(socket) and await _serves(stub)):  # noqa: ASYNC110 - another process's file sets no event
        await asyncio.sleep(0.005)


def _is_there(socket: Path) -> bool:
    return socket.exists()


async def _serves(stub: EmbedderStub) -> bool:
    info: pb.InfoResponse = await stub.Info(pb.InfoRequest(), timeout=PATIENCE_S)
    return info.state == pb.STATE_SERVING


def _environment() -> dict[str, str]:
    """Return the environment without the settings of this machine's user."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EMBEDDER_")}
