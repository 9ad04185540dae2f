"""The embedder on Ray Serve beside one daemon: `python -m benchmarks.ray_serve` (`make test-ray setup` comes first).

A daemon and one replica behind HAProxy take turns, both on a port of the loopback, without cache: bulk is eight callers
with 64 texts of 63 words each, a query is one caller with one short text. Then three nodes, all on this machine, with
the engine `hash`: eight callers until three replicas run instead of one, and until one of three nodes is killed.

`python -m benchmarks.ray_serve openvino` computes with MiniLM, where Ray's environment has openvino and the model.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.kit import percentile, say
from memory_mcp.domain.models import Lane
from memory_mcp.embedder.client import GrpcEmbedder
from tests.daemon.daemonkit import ROOT, Process
from tests.ray.kit import CALLERS, CHANGES, NODES, Cluster, Load, client_of, embed
from tests.services.servers import free_port

ROUNDS = 5
CALLS = 24
QUERIES = 200
TEXTS = 64
MANY = 256
"""Texts of a call that make the queue grow."""
number = count()


@contextmanager
def daemon(folder: Path, settings: dict[str, str]) -> Iterator[int]:
    """Run a daemon, and return its port."""
    port, address = free_port(), "127.0.0.1:{}"
    script = str(ROOT / ".venv-daemon" / "bin" / "embedder-daemon")
    more = settings | {"EMBEDDER_INSECURE_LOOPBACK": "1", "XDG_DATA_HOME": str(folder)}
    process = Process(folder, address=address.format(port), script=script, **more).ready()
    try:
        yield port
    finally:
        process.stop()


@contextmanager
def cluster(folder: Path, **changes: dict[str, object]) -> Iterator[Cluster]:
    """Run the deployment."""
    made = Cluster(folder / "ray.log", {name: CHANGES[name] | changes.get(name, {}) for name in CHANGES})
    try:
        yield made
    finally:
        made.end()


async def bulk(client: GrpcEmbedder) -> float:
    """Return the texts a second of eight callers."""
    async with Load(client, TEXTS, Lane.BULK) as load:
        await load.more(CALLERS)
        before, began = load.answered, time.monotonic()
        await load.more(CALLS)
        return (load.answered - before) * TEXTS / (time.monotonic() - began)


async def queries(client: GrpcEmbedder) -> list[float]:
    """Return the milliseconds of each call of one caller."""
    took = []
    for _ in range(QUERIES):
        began = time.perf_counter()
        await embed(client, f"where did we put the number {next(number)}")
        took.append(1000 * (time.perf_counter() - began))
    return took


async def compare(ports: dict[str, int]) -> None:
    """Let both take turns."""
    texts: dict[str, list[float]] = {name: [] for name in ports}
    took: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            async with client_of(port) as client:
                await embed(client, "warm")
                took[name] += await queries(client)
                texts[name].append(await bulk(client))
    for name in ports:
        shown = ", ".join(f"{each:.0f}" for each in sorted(texts[name]))
        p50, p95 = (percentile(took[name], part) for part in (0.5, 0.95))
        say(f"{name}: bulk {shown} texts/s; a query p50 {p50:.2f} ms, p95 {p95:.2f} ms")


async def grow(made: Cluster) -> None:
    """Tell how long it takes until bulk has made three replicas of one."""
    async with client_of(made.port) as client, Load(client, MANY, Lane.BULK) as load:
        began = time.monotonic()
        await made.until_replicas(NODES)
        say(f"{NODES} replicas of 1 after {time.monotonic() - began:.1f} s of load, {len(load.failed)} calls failed")


async def lose(made: Cluster) -> None:
    """Tell what happens to calls when a node is killed."""
    head = await made.ask("head")
    victim = next(node for node in await made.until_replicas(NODES) if node != head)
    async with client_of(made.port) as client, Load(client, 4, Lane.INTERACTIVE) as load:
        await load.more(1000)
        before = load.answered
        await made.ask("kill", victim)
        await load.more(5000)
        after, failed = load.answered - before, len(load.failed)
        say(f"a node of {NODES} killed: {load.answered} calls, {after} of them after it, {failed} failed")


async def main() -> None:
    """Measure all."""
    engine = sys.argv[1] if sys.argv[1:] else "hash"
    settings = {"EMBEDDER_ENGINE": engine, "EMBEDDER_CACHE_MB": "0", "EMBEDDER_THREADS": "2"}
    settings |= {} if engine == "hash" else {"EMBEDDER_PRECISION": "float32", "HOME": os.environ["HOME"]}
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        say(f"one replica beside one daemon, {engine}")
        alone: dict[str, dict[str, object]] = {"settings": {**settings}, "autoscaling": {"max_replicas": 1}}
        with daemon(folder, settings) as port, cluster(folder, **alone) as made:
            await compare({"daemon": port, "Ray Serve": made.port})
        with cluster(folder) as made:
            await grow(made)
            await lose(made)


if __name__ == "__main__":
    asyncio.run(main())
