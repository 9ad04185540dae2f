"""`make bench`: what matters, as ratios of things measured side by side in this run.

It starts a daemon, without its cache, and a front of its own in a temporary folder; the texts are made here, so that it
runs anywhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc.aio
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1.contract import CHANNEL_OPTIONS
from embedder_api.v1.embedder_pb2_grpc import EmbedderStub
from mcp import Client, StdioServerParameters

ROOT = Path(__file__).parents[1]
FRONT = ROOT / ".venv" / "bin" / "memory-mcp"
DAEMON = ROOT / ".venv-daemon" / "bin" / "embedder-daemon"
MODEL_PYTHON = ROOT / ".venv-daemon" / "bin" / "python"
WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
REPEATS = 100


def texts(count: int, words: int) -> list[str]:
    """Make texts of about so many words, the same in every run."""
    chance = random.Random(count)  # noqa: S311 - no secret
    return [" ".join(chance.choices(WORDS, k=chance.randint(words // 2, words * 3 // 2))) + "." for _ in range(count)]


async def p50(work: Callable[[int], Awaitable[object]], repeats: int = REPEATS) -> float:
    """Return the median seconds of one call."""
    took = []
    for i in range(repeats):
        begun = time.perf_counter()
        await work(i)
        took.append(time.perf_counter() - begun)
    return sorted(took)[repeats // 2]


async def handshake(command: list[str], environment: dict[str, str]) -> float:
    """Return the seconds from the start of a server to its answered handshake and list of tools; best of 5."""
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        async with Client(StdioServerParameters(command=command[0], args=command[1:], env=environment)) as client:
            await client.list_tools()
            took.append(time.perf_counter() - begun)
    return min(took)


def report(what: str, value: float, against: str, base: float, unit: str) -> None:
    """Print one ratio with its two parts."""
    sys.stdout.write(f"{value / base:6.2f} x  {what}: {value:.1f} {unit}, against {against}: {base:.1f} {unit}\n")
    sys.stdout.flush()


async def daemon_against_in_process(stub: EmbedderStub) -> None:
    """Compare the socket with sentence-transformers in process, one text and bulk."""
    short, long = texts(REPEATS, 10), texts(512, 50)

    async def embed(batch: list[str], lane: pb.Lane) -> None:
        await stub.Embed(pb.EmbedRequest(texts=batch, lane=lane, truncate=True), timeout=120)

    async def one(i: int) -> None:
        await embed([short[i]], pb.LANE_INTERACTIVE)

    await p50(one)
    single = await p50(one)
    begun = time.perf_counter()
    await asyncio.gather(*(embed(long[i : i + 64], pb.LANE_BULK) for i in range(0, len(long), 64)))
    bulk = len(long) / (time.perf_counter() - begun)
    alone = _in_process(short), _in_process(long)
    report(
        "one short text through the socket, p50", single * 1e3, "encode in process", alone[0]["single_s"] * 1e3, "ms"
    )
    report("bulk through the socket", bulk, "encode in process", alone[1]["bulk_per_s"], "texts/s")


def _in_process(batch: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [MODEL_PYTHON, Path(__file__).with_name("in_process.py")],
        input=json.dumps(batch),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


async def front_against_floor(environment: dict[str, str]) -> None:
    """Compare the front with an empty server of the same SDK."""
    empty = [sys.executable, str(Path(__file__).with_name("empty_server.py"))]
    ours, floor = await handshake([str(FRONT), "serve"], environment), await handshake(empty, environment)
    report("handshake and list of tools", ours * 1e3, "an empty server", floor * 1e3, "ms")
    async with Client(StdioServerParameters(command=empty[0], args=empty[1:], env=environment)) as client:
        no_op = await p50(lambda _: client.call_tool("nothing", {}))
    contents = texts(REPEATS, 15)
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)) as client:
        await client.call_tool("memory_store_many", {"items": [{"content": text} for text in texts(1000, 15)]})
        store = await p50(lambda i: client.call_tool("memory_store", {"content": contents[i]}))
        search = await p50(lambda i: client.call_tool("memory_search", {"query": contents[-i]}))
        words = await p50(lambda i: client.call_tool("memory_search", {"query": contents[i], "mode": "keyword"}))
    report("memory_store, durable and with its vector, p50", store * 1e3, "a no-op call", no_op * 1e3, "ms")
    report("memory_search, 1,000 memories, p50", search * 1e3, "a no-op call", no_op * 1e3, "ms")
    report("memory_search by keywords alone, p50", words * 1e3, "a no-op call", no_op * 1e3, "ms")
    dead = (
        {"MCP_MEMORY_LOG_LEVEL": "error"}
        | environment
        | {"MCP_MEMORY_EMBEDDER_ADDRESS": environment["MCP_MEMORY_EMBEDDER_ADDRESS"] + ".dead"}
    )
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=dead)) as client:
        alone = await p50(lambda i: client.call_tool("memory_store", {"content": f"{i} {contents[i]}"}))
    report("memory_store without a daemon, p50", alone * 1e3, "a no-op call", no_op * 1e3, "ms")


async def main() -> None:
    """Measure everything."""
    sys.stdout.write(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        address = f"unix:{folder}/e.sock"
        daemon = await asyncio.create_subprocess_exec(
            DAEMON, "--address", address, "--cache-mb", "0", stderr=subprocess.DEVNULL
        )
        environment = {"MCP_MEMORY_EMBEDDER_ADDRESS": address, "MCP_MEMORY_SQLITE_PATH": f"{folder}/memory.db"}
        try:
            async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
                stub = EmbedderStub(channel)  # type: ignore[no-untyped-call]  # generated without types
                await stub.Embed(pb.EmbedRequest(texts=["warm up"]), wait_for_ready=True, timeout=60)
                await daemon_against_in_process(stub)
            await front_against_floor(environment)
        finally:
            daemon.terminate()
            await daemon.wait()


asyncio.run(main())
