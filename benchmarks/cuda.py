"""`python -m benchmarks.cuda`: the torch engine on a GPU in each precision; without CUDA, the same on the CPU.

Run it with the daemon's interpreter. It takes ten minutes at most and needs no network: vectors against the golden ones
and against their batch-mates, a device without room for a batch, and the daemon against sentence-transformers' `encode`
on the same device. `--json` prints one object. It exits with 1 if something that must hold does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.embedder import Encode, bulk_rate, in_process, questions_beside_bulk, worst_cosine
from benchmarks.kit import DATA, daemon, p50, percentile, say
from benchmarks.tables import head, line
from embedder_daemon import logs
from embedder_daemon.engines import factory, golden
from embedder_daemon.engines.base import EmbedTask, Encoded, Engine, EngineOptions
from embedder_daemon.errors import LoadError
from embedder_daemon.model import discovery
from embedder_daemon.scheduler.packing import QueueLane
from embedder_daemon.scheduler.scheduler import Scheduler
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.stats import Stats
from memory_common.pins import BUNDLED_MODEL
from tests.model.corpus import made_texts, real_texts

PRECISIONS: Final = ("float32", "bfloat16", "float16")
LIMIT_S: Final = 600.0
PART_S: Final = 120.0
"""What one precision takes at most; it is left out if less time is left."""
SINGLES: Final = 100
BATCHES: Final = (3, 8, 32, 256)
DAEMON: Final = (sys.executable, "-m", "embedder_daemon")

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    bulk: int
    """Texts of each round."""
    mates: int
    """Texts whose vectors are compared in several batches."""
    phases: int
    phase_s: float
    large: int
    """Texts of 256 tokens in a batch that is too large."""
    room_bytes: int
    """What is left for it."""
    batch_sizes: tuple[int, ...]
    """Of `encode`, which counts with its best one."""


CPU: Final = Sizes(256, 40, 1, 4.0, 16, 16 << 20, (8, 16, 32))
CUDA: Final = Sizes(4096, 400, 3, 4.0, 256, 128 << 20, (32, 64, 128, 256, 512))


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    precision: str
    what: str
    value: float | None
    unit: str = ""
    against: str = ""
    base: float | None = None
    """What `value` stands against, in the same unit."""
    holds: bool | None = None
    """None where nothing must hold."""

    def cells(self) -> tuple[str, ...]:
        """Return what the table says of it."""
        base = "" if self.base is None else f" {self.base:.6g}"
        held = {None: "", True: "yes", False: "**no**"}[self.holds]
        value = "" if self.value is None else f"{self.value:.6g} {self.unit}".rstrip()
        return self.precision, self.what, value, f"{self.against}{base}", held


class Greedy:
    """An engine whose batches nothing limits but memory, on whatever device."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.facts = replace(engine.facts, device="cuda", batch_tokens=1 << 20)

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise."""
        return self._engine.encode(texts, task)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute."""
        return self._engine.forward(batch)

    def close(self) -> None:
        """Unload the weights."""
        self._engine.close()


@contextmanager
def room(device: str, more: int) -> Iterator[None]:
    """Let this process take no more than so many bytes on the device (on the CPU, of address space) than it has."""
    if device == "cuda":
        torch.cuda.empty_cache()
        allowed = torch.cuda.memory_reserved() + more
        torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.get_device_properties(0).total_memory)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def rows_of(vectors: Sequence[bytes]) -> Rows:
    """Return a matrix of (texts, dimensions)."""
    return np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)


def batched(engine: Engine, texts: Sequence[Encoded], size: int) -> Rows:
    """Compute in batches of this size, in order."""
    return rows_of([row for start in range(0, len(texts), size) for row in engine.forward(texts[start : start + size])])


def golden_check(engine: Engine, precision: str) -> Figure:
    """Compare with the vectors that torch computed as float32 on a CPU."""
    known = golden.find(engine.facts.space)
    assert known is not None, "the bundled model has golden vectors"
    worst = golden.measure(engine, known)
    holds = worst >= golden.MIN_COSINE
    return Figure(precision, "worst cosine to the golden vectors", worst, "", "at least", golden.MIN_COSINE, holds)


def batch_mates(engine: Engine, precision: str, texts: Sequence[str]) -> Figure:
    """Compare vectors computed alone with those in batches: shuffled, and with texts of their length."""
    encoded = engine.encode(texts, EmbedTask.DOCUMENT)
    alone = batched(engine, encoded, 1)
    orders = [sorted(range(len(encoded)), key=lambda place: len(encoded[place].ids))]
    orders.append(random.Random(7).sample(orders[0], len(encoded)))  # noqa: S311 - no secret
    sizes = sorted({min(size, len(encoded)) for size in BATCHES})
    worst = max(
        float(np.abs(batched(engine, [encoded[place] for place in order], size) - alone[order]).max())
        for order in orders
        for size in sizes
    )
    published = engine.facts.batch_tolerance
    what = "largest change of an element through batch-mates"
    return Figure(precision, what, worst, "", "published", published, worst <= published)


async def without_room(engine: Engine, precision: str, sizes: Sizes) -> AsyncGenerator[Figure, None]:
    """Give the engine and the scheduler a batch that the device has no room for."""
    device = engine.facts.device
    if device != "cuda" and sys.platform != "linux":
        yield Figure(precision, "no room", None, "", "not tried: only Linux bounds a process's memory")
        return
    (whole,) = engine.encode([" ".join(made_texts(200))], EmbedTask.DOCUMENT)
    large = [whole] * sizes.large
    short = engine.encode(["The next one is short."], EmbedTask.DOCUMENT)
    stats, worker = Stats(time.monotonic()), Worker("forward")
    scheduler = Scheduler(worker, stats, max_queued_texts=sizes.large)
    scheduler.attach(Greedy(engine))

    async def computed(texts: list[Encoded]) -> Rows | None:
        outcome = await scheduler.submit(texts, lane=QueueLane.BULK, client="", deadline=math.inf)
        rows = [row for row in outcome.rows if isinstance(row, bytes)]
        return rows_of(rows) if len(rows) == len(texts) else None

    before = await computed(short)  # on the scheduler's own thread, which gets its workspace on the device now
    with room(device, sizes.room_bytes):
        refused = _refused(lambda: engine.forward(large))
        together, failures = await computed(large), stats.out_of_memory
        after = await computed(short)
    worker.close(timeout_s=1.0)
    yield Figure(precision, "the engine refuses a batch that does not fit", None, "", "with MemoryError", None, refused)
    split = failures > 0 and _agree(together, batched(engine, [whole], 1), engine)
    what = "passes without room until the scheduler's batches fit"
    yield Figure(precision, what, failures, "", "and each text has its vector", None, split)
    yield Figure(precision, "the next text has its vector", None, "", "as before", None, _agree(after, before, engine))


def _refused(forward: Callable[[], object]) -> bool:
    try:
        forward()
    except MemoryError:
        return True
    except RuntimeError:  # torch's own: the scheduler would still halve the batch, but learn nothing from it
        return False
    return False


def _agree(rows: Rows | None, expected: Rows | None, engine: Engine) -> bool:
    """Whether all are there, and as near to what is expected as batch-mates may move them."""
    if rows is None or expected is None:
        return False
    return bool(np.abs(rows - expected).max() <= engine.facts.batch_tolerance)


async def served(device: str, precision: str, sizes: Sizes, folder: str) -> AsyncGenerator[Figure, None]:
    """Compare the daemon with `encode`, and see what a question waits for beside bulk."""
    texts, short = bulk_texts(sizes.bulk), [text[:60] for text in made_texts(200)]
    how = Encode(sys.executable, device, precision, sizes.batch_sizes)
    asked = min(SINGLES, sizes.bulk)
    alone = await asyncio.to_thread(in_process, short[:asked], texts, how)
    arguments = ("--engine", "torch", "--device", device, "--precision", precision, "--cache-mb", "0")
    async with daemon(folder, *arguments, program=DAEMON) as started:
        rate, vectors = await bulk_rate(started, texts)
        yield Figure(precision, "bulk through the daemon", rate, "texts/s", "`encode`", alone.bulk_per_s)
        worst = worst_cosine(vectors, alone.vectors)
        # In half precision `encode` pools in it too, and is the one that is off.
        holds = worst >= golden.MIN_COSINE if precision == "float32" else None
        yield Figure(precision, "worst cosine to `encode`", worst, "", "at least", golden.MIN_COSINE, holds)
        single = await p50(lambda number: started.embed([short[number]]), asked)
        yield Figure(precision, "one short text, p50", single * 1e3, "ms", "`encode`", alone.single_s * 1e3)
        seen = await questions_beside_bulk(started, texts, short, sizes.phases, sizes.phase_s)
    busy, idle = percentile(seen.beside_s, 0.99) * 1e3, percentile(seen.idle_s, 0.99) * 1e3
    yield Figure(precision, "a question beside bulk, p99", busy, "ms", "idle", idle)
    what = "padded tokens of bulk beside questions"
    yield Figure(precision, what, seen.beside_tokens, "/s", "alone", seen.alone_tokens)


def bulk_texts(count: int) -> list[str]:
    """Return real texts where the shared data is, else made ones, each with a number.

    The scheduler would compute equal ones once, which `encode` does not.
    """
    found = real_texts(DATA, count)
    return [f"{number} {found[number % len(found)]}" for number in range(count)]


async def in_one(device: str, precision: str, sizes: Sizes, folder: str) -> AsyncGenerator[Figure, None]:
    """Measure one precision."""
    options = EngineOptions(device=device, precision=precision)
    try:
        engine = factory.create("torch", options, discovery.find(BUNDLED_MODEL))
    except LoadError as error:
        yield Figure(precision, "not measured", None, "", str(error))
        return
    try:
        yield golden_check(engine, precision)
        yield batch_mates(engine, precision, bulk_texts(sizes.mates))
        async with aclosing(without_room(engine, precision, sizes)) as figures:
            async for figure in figures:
                yield figure
    finally:
        engine.close()
    async with aclosing(served(device, precision, sizes, folder)) as figures:
        async for figure in figures:
            yield figure


async def measure(device: str, precisions: Sequence[str], sizes: Sizes) -> AsyncGenerator[Figure, None]:
    """Measure each precision that there is time for."""
    end = time.monotonic() + LIMIT_S - PART_S
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for precision in precisions:
            if time.monotonic() > end:
                yield Figure(precision, "not measured", None, "", "no time is left", None, holds=False)
                continue
            async with aclosing(in_one(device, precision, sizes, folder)) as figures:
                async for figure in figures:
                    yield figure


def described(device: str) -> str:
    """Return the first line: what everything here was measured on."""
    versions = f"torch {torch.__version__}, Python {sys.version.split()[0]}"
    if device == "cuda":
        return f"CUDA on {torch.cuda.get_device_name(0)}, {versions}"
    return f"THIS MACHINE HAS NO CUDA: the same was run on its CPU, and says nothing about a GPU; {versions}"


async def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table in Markdown or one JSON object; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--precision", choices=PRECISIONS, action="append", help="only this one; may be repeated")
    parser.add_argument("--bulk", type=int, help="texts of each round of bulk")
    parser.add_argument("--phase-s", type=float, help="seconds of each phase of questions")
    asked = parser.parse_args(arguments)
    logs.configure("error", "auto")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    usual = CUDA if device == "cuda" else CPU
    bulk = asked.bulk or usual.bulk
    sizes = replace(usual, bulk=bulk, mates=min(bulk, usual.mates), phase_s=asked.phase_s or usual.phase_s)
    if not asked.json:
        say(f"{described(device)}\n\n{head(['precision', 'what', 'measured', 'against', 'holds'])}")
    figures = []
    async for figure in measure(device, asked.precision or PRECISIONS, sizes):
        figures.append(figure)
        if not asked.json:
            say(line(figure.cells()))
    if asked.json:
        say(json.dumps({"machine": described(device), "device": device, "figures": [asdict(it) for it in figures]}))
    return int(any(figure.holds is False for figure in figures))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
