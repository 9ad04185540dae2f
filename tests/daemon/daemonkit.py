"""What the daemon's tests share: a real server in this process, real processes, and engines with faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc, wire
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no stubs

from embedder_daemon.engines.base import EmbedTask, Encoded, Engine
from embedder_daemon.engines.hash_engine import HashEngine
from embedder_daemon.runtime.listening import place_of
from embedder_daemon.server import Daemon
from embedder_daemon.settings import DaemonSettings

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

FieldValue = Any  # the fields of a typed constructor that keyword arguments are passed on to have several types


def until(condition: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait until the condition holds, and fail by its name when it does not in time."""
    pause, end = threading.Event(), time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        pause.wait(0.01)


class GateEngine(HashEngine):
    """Its forward pass waits until the gate is open; remembers every batch as token counts."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[Encoded]] = []
        self.closed = False
        if is_open:
            self.gate.set()

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute when the gate is open."""
        self.batches.append(list(batch))
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        return super().forward(batch)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class SlowTokens(HashEngine):
    """A text that begins with "hold" is tokenised when the gate is open; remembers how many came."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.held = 0

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise, when it may."""
        if texts[0].startswith("hold"):
            self.held += 1
            assert self.gate.wait(WAIT_S)
        return super().encode(texts, task)


class FaultyEngine(HashEngine):
    """Does what a word in the batch tells it to: raise, return NaN or zeros, lose a row."""

    def __init__(self) -> None:
        self._words = {
            self.encode([word], EmbedTask.DOCUMENT)[0].ids[0]: word for word in ("raise", "nan", "zero", "lose")
        }

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute, or do not."""
        orders = [next((self._words[token] for token in text.ids if token in self._words), "") for text in batch]
        if "raise" in orders:
            raise RuntimeError("secret of the engine")
        rows = super().forward(batch)
        bad = {"nan": wire.pack([float("nan")] * 384), "zero": bytes(384 * 4)}
        rows = [bad.get(order, row) for order, row in zip(orders, rows, strict=True)]
        return rows[:-1] if "lose" in orders else rows


@dataclass
class Client:
    """Stubs on one channel to a daemon in this process."""

    daemon: Daemon
    path: Path
    channel: grpc.aio.Channel
    stub: embedder_pb2_grpc.EmbedderStub
    health_stub: Any  # has no stubs

    async def embed(self, *texts: str, within_s: float = WAIT_S, **fields: FieldValue) -> embedder_pb2.EmbedResponse:
        """Call Embed."""
        request = embedder_pb2.EmbedRequest(texts=texts, **fields)
        answer: embedder_pb2.EmbedResponse = await self.stub.Embed(request, timeout=within_s)
        return answer

    async def info(self) -> embedder_pb2.InfoResponse:
        """Call Info."""
        answer: embedder_pb2.InfoResponse = await self.stub.Info(embedder_pb2.InfoRequest(), timeout=WAIT_S)
        return answer

    async def stats(self) -> embedder_pb2.StatsResponse:
        """Call Stats."""
        answer: embedder_pb2.StatsResponse = await self.stub.Stats(embedder_pb2.StatsRequest(), timeout=WAIT_S)
        return answer

    async def health(self, service: str = "") -> int:
        """Return the health status."""
        answer = await self.health_stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S)
        return int(answer.status)

    async def until_state(self, state: int) -> None:
        """Wait until Info tells this state."""
        end = time.monotonic() + WAIT_S
        while (now := (await self.info()).state) != state:
            assert time.monotonic() < end, f"the state stayed {now}, wanted {state}"

    async def until_stats(self, condition: Callable[[embedder_pb2.StatsResponse], object], what: str) -> None:
        """Wait until the counters meet a condition."""
        end = time.monotonic() + WAIT_S
        while not condition(now := await self.stats()):
            assert time.monotonic() < end, f"{what}: {now}"


@asynccontextmanager
async def serving(
    folder: Path, build: Callable[[], Engine], *, stop_s: float = 5.0, **fields: FieldValue
) -> AsyncIterator[Client]:
    """Serve an engine on a real socket in this process."""
    path = folder / "e.sock"
    settings = DaemonSettings(address=f"unix:{path}", engine="hash", **fields)
    daemon = Daemon(settings, build, place_of(settings))
    await daemon.start()
    async with grpc.aio.insecure_channel(f"unix:{path}", options=contract.CHANNEL_OPTIONS) as channel:
        stub = embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        try:
            yield Client(daemon, path, channel, stub, health_pb2_grpc.HealthStub(channel))
        finally:
            await daemon.stop(stop_s)


class Process:
    """`python -m embedder_daemon`, or an installed script, with its own log file."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        address: str = "",
        module: str = "embedder_daemon",
        script: str = "",
        **environment: str,
    ) -> None:
        self.path = folder / "e.sock"
        self.log = folder / f"log-{time.monotonic_ns()}"
        unwanted = ("EMBEDDER_", "COVERAGE_")  # what is measured of the daemon, tests ask without a process
        clean = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        paths = os.pathsep.join([str(ROOT), str(ROOT / "protos"), environment.pop("python_path", "")])
        program = [script] if script else [sys.executable, "-m", module]
        with self.log.open("wb") as stderr:
            self.popen = subprocess.Popen(
                [*program, "--address", address or f"unix:{self.path}", *arguments],
                env=clean | {"PYTHONPATH": paths} | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def resident_mb(self) -> float:
        """Return its resident memory."""
        return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(self.popen.pid)])) / 1024

    def lines(self) -> list[str]:
        """Return what it logged."""
        return self.log.read_text().splitlines()

    def ready(self) -> Process:
        """Wait until it serves."""
        until(lambda: "READY" in self.log.read_text() or self.popen.poll() is not None, "READY in the log")
        assert self.popen.poll() is None, self.log.read_text()
        return self

    def logged(self, words: str) -> None:
        """Wait until the log holds the words."""
        until(lambda: words in self.log.read_text(), f"{words!r} in the log")

    def wait(self) -> int:
        """Return its exit code; it says nothing on stdout."""
        out, _ = self.popen.communicate(timeout=WAIT_S)
        assert out == b""
        return self.popen.returncode

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.popen.send_signal(number)
        return self.wait()

    def embed(self, *texts: str, **fields: FieldValue) -> embedder_pb2.EmbedResponse:
        """Call Embed on a channel of its own."""
        with grpc.insecure_channel(f"unix:{self.path}", options=contract.CHANNEL_OPTIONS) as channel:
            request = embedder_pb2.EmbedRequest(texts=texts, **fields)
            stub = embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
            answer: embedder_pb2.EmbedResponse = stub.Embed(request, timeout=WAIT_S)
            return answer

    def stats(self) -> embedder_pb2.StatsResponse:
        """Call Stats on a channel of its own."""
        with grpc.insecure_channel(f"unix:{self.path}") as channel:
            stub = embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
            answer: embedder_pb2.StatsResponse = stub.Stats(embedder_pb2.StatsRequest(), timeout=WAIT_S)
            return answer

    def until_busy(self, calls: int = 1) -> None:
        """Wait until so many calls are in the daemon."""
        with grpc.insecure_channel(f"unix:{self.path}") as channel:
            stub = embedder_pb2_grpc.EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
            until(lambda: stub.Stats(embedder_pb2.StatsRequest()).interactive.requests >= calls, "calls run")


def set_traps(folder: Path, names: Iterable[str]) -> Path:
    """Make a folder of modules that nobody may import: each leaves its name in the file `sprung` and exits."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'sprung')!r}, 'a').write({name!r})\nraise SystemExit\n")
    return folder
