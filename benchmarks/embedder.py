"""The daemon through its socket against sentence-transformers in process, with and without a crowd."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from operator import mul
from pathlib import Path

import grpc.aio
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub

from benchmarks.kit import DATA, MODEL_PYTHON, PATIENCE_S, Daemon, daemon, p50, percentile, report, say, seconds
from tests.model.corpus import made_texts, real_texts

BULK = 512
DIMENSIONS = 384
REQUEST = 64
CLIENTS = 50
QUERIES_PER_S = 10.0
PHASE_S = 4.0
PHASES = 3
CALM_S = 2.2  # after it the daemon takes nobody to be waiting
ROUNDS = 3


@dataclass(frozen=True)
class InProcess:
    """What sentence-transformers did."""

    load_s: float
    single_s: float
    bulk_per_s: float
    batch_size: int
    vectors: bytes


@dataclass(frozen=True)
class Encode:
    """How sentence-transformers is to compute, and in which interpreter."""

    python: str | Path = MODEL_PYTHON
    device: str = "cpu"
    precision: str = "float32"
    batch_sizes: tuple[int, ...] = (8, 16, 32, 64)
    """Tried one after the other; the best counts."""


def in_process(single: list[str], bulk: list[str], how: Encode = Encode()) -> InProcess:
    """Run it in a process of its own."""
    chosen = {"device": how.device, "precision": how.precision, "batch_sizes": how.batch_sizes}
    done = subprocess.run(
        [how.python, Path(__file__).with_name("in_process.py")],
        input=json.dumps({"single": single, "bulk": bulk, **chosen}),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    fields = json.loads(done.stdout)
    return InProcess(**fields | {"vectors": base64.b64decode(fields["vectors"])})


async def run(folder: str) -> None:
    """Measure the engine that `auto` chose, then torch with float32."""
    bulk, short = real_texts(DATA, BULK), [text[:60] for text in made_texts(200)]
    alone = in_process(short[:100], bulk)
    async with daemon(folder, "--cache-mb", "0") as served:
        info = await served.stub.Info(pb.InfoRequest(), timeout=PATIENCE_S)
        say(f"auto is {info.engine} {info.precision}; encode is best in batches of {alone.batch_size}")
        report("start to SERVING", served.start_s, "import and load", alone.load_s, "s", "at most 0.20")
        await _one_text(served, short, alone)
        rate = await _bulk(served, bulk, alone, "at least 1.8")
        await _crowd(served, bulk, rate)
        resident = served.resident_mb()
        await _report_beside(served, bulk, short)
    async with daemon(folder) as served:
        await _cache(served, bulk)
    async with daemon(folder, "--cache-mb", "0", "--engine", "torch", "--precision", "float32") as served:
        say("torch float32:")
        await _one_text(served, short, alone)
        rate = await _bulk(served, bulk, alone, "at least 1.10")
        await _crowd(served, bulk, rate)
        report("resident memory of auto", resident, "of torch", served.resident_mb(), "MB", "at most 0.55")
        await _report_beside(served, bulk, short)


async def _one_text(served: Daemon, short: list[str], alone: InProcess) -> None:
    shares: list[float] = []

    async def one(number: int) -> None:
        begun = time.perf_counter()
        answer = await served.embed([short[number]])
        shares.append(time.perf_counter() - begun - answer.timing.compute_us / 1e6)

    await p50(one)
    shares.clear()
    single = await p50(one)
    report("one short text, p50", single * 1e3, "encode", alone.single_s * 1e3, "ms", "at most 0.33")
    say(f"          of it all but the forward pass: {percentile(shares, 0.5) * 1e3:.2f} ms (target: under 1 ms)")


def _cut(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + REQUEST] for start in range(0, len(texts), REQUEST))


async def _bulk(served: Daemon, texts: list[str], alone: InProcess, target: str) -> float:
    """Return texts per second, the best round."""
    rate, vectors = await bulk_rate(served, texts)
    report("bulk", rate, "encode", alone.bulk_per_s, "texts/s", target)
    waste = (await served.stats()).padding_waste
    worst = worst_cosine(vectors, alone.vectors)
    say(f"          worst cosine {worst:.6f} (target: at least 0.9995), padding {waste:.1%}")
    return rate


async def bulk_rate(served: Daemon, texts: list[str]) -> tuple[float, bytes]:
    """Return texts per second, the best round, and the vectors, rows of float32."""
    rates, answers = [], list[pb.EmbedResponse]()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answers = await asyncio.gather(*(served.embed(part, pb.LANE_BULK) for part in _cut(texts)))
        rates.append(len(texts) / (time.perf_counter() - begun))
    return max(rates), b"".join(answer.vectors for answer in answers)


def worst_cosine(ours: bytes, theirs: bytes) -> float:
    """Compare rows of float32, as many as the model has dimensions; all are normalised."""
    one, other = wire.unpack(ours), wire.unpack(theirs)
    rows = range(0, len(one), DIMENSIONS)
    return float(min(sum(map(mul, one[row : row + DIMENSIONS], other[row : row + DIMENSIONS])) for row in rows))


async def _crowd(served: Daemon, texts: list[str], bulk_rate: float) -> None:
    """Let clients on connections of their own ask for one text at a time."""
    waiting = iter(texts)

    async def client(number: int) -> None:
        async with served.channel(number) as channel:
            stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
            for text in waiting:
                request = pb.EmbedRequest(texts=[text], truncate=True, client=str(number))
                await stub.Embed(request, timeout=PATIENCE_S)

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    rate = len(texts) / (time.perf_counter() - begun)
    report(f"{CLIENTS} clients, one text at a time", rate, "one in bulk", bulk_rate, "texts/s", "at least 0.7")


@dataclass(frozen=True)
class Beside:
    """Short questions and bulk, each alone and beside the other."""

    idle_s: list[float]
    """Of each question while there is no bulk."""
    beside_s: list[float]
    alone_tokens: float
    """Padded tokens of bulk in a second while nobody asks."""
    beside_tokens: float


async def _report_beside(served: Daemon, texts: list[str], short: list[str]) -> None:
    seen = await questions_beside_bulk(served, texts, short)
    what = f"{QUERIES_PER_S:.0f} questions a second beside bulk, p99"
    p99, calm = percentile(seen.beside_s, 0.99) * 1e3, percentile(seen.idle_s, 0.99) * 1e3
    report(what, p99, "idle", calm, "ms", "idle and two quanta, and under 60 ms")
    report("bulk beside questions", seen.beside_tokens, "alone", seen.alone_tokens, "padded tokens/s", "at least 0.85")


async def questions_beside_bulk(
    served: Daemon, texts: list[str], short: list[str], phases: int = PHASES, phase_s: float = PHASE_S
) -> Beside:
    """Let bulk saturate the daemon, and ask short questions at random moments in every other phase."""
    chance = random.Random(7)  # noqa: S311 - no secret

    async def questions(length_s: float) -> list[float]:
        took, end = [], time.perf_counter() + length_s
        while time.perf_counter() < end:
            await asyncio.sleep(chance.expovariate(QUERIES_PER_S))
            took += await seconds(lambda _: served.embed([chance.choice(short)], client="questions"), 1)
        return took

    idle = await questions(2 * phase_s)
    over = asyncio.Event()
    async with served.channel(1) as channel:
        work = [asyncio.create_task(_saturate(channel, texts, over)) for _ in range(4)]
        undisturbed, disturbed, took = 0.0, 0.0, list[float]()
        for _ in range(phases):
            await asyncio.sleep(CALM_S)
            undisturbed += (await _bulk_tokens(served, asyncio.sleep(phase_s, [])))[0]
            tokens, answers = await _bulk_tokens(served, questions(phase_s))
            disturbed, took = disturbed + tokens, took + answers
        over.set()
        await asyncio.gather(*work)
    return Beside(idle, took, undisturbed / phases, disturbed / phases)


async def _saturate(channel: grpc.aio.Channel, texts: list[str], over: asyncio.Event) -> None:
    stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
    while not over.is_set():
        for part in _cut(texts):
            request = pb.EmbedRequest(texts=part, lane=pb.LANE_BULK, truncate=True, client="bulk")
            await stub.Embed(request, timeout=PATIENCE_S)
            if over.is_set():
                return


async def _bulk_tokens(served: Daemon, phase: Awaitable[list[float]]) -> tuple[float, list[float]]:
    """Return padded tokens per second during a phase, the few of the questions included, and its result."""
    before, begun = (await served.stats()).padded_tokens, time.perf_counter()
    result = await phase
    return ((await served.stats()).padded_tokens - before) / (time.perf_counter() - begun), result


async def _cache(served: Daemon, texts: list[str]) -> None:
    """Compare the first and the second time that a text of about 50 words is asked for."""
    paragraphs = [" ".join(text.split()[:50]) for text in texts if len(text.split()) >= 50][:100]

    async def one(number: int) -> None:
        await served.embed([paragraphs[number]])

    computed, cached = await p50(one, len(paragraphs)), await p50(one, len(paragraphs))
    report("a text that was seen lately, p50", cached * 1e3, "computed", computed * 1e3, "ms", "at most 0.20")
