"""`python -m benchmarks.sources`: a block of context from five sources, of which four fail, and from a cached one.

The front and the server that it asks are processes of their own; the daemon computes hash vectors.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import psutil
from mcp import Client, StdioServerParameters

from benchmarks.kit import FRONT, ROOT, daemon, percentile, say

FRONTS: Final = 5
BUDGET_MS: Final = 500
CALLS: Final = 3
"""Of one front: with the next one, breakers open."""
OPEN_CALLS: Final = 20
CACHED_CALLS: Final = 200
MEGABYTES: Final = 100
NAMES: Final = ("ok", "hang", "hang2", "fail", "huge")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a request as its path says."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
        if path.startswith(b"/hang"):
            await reader.read()
        elif path.startswith(b"/fail"):
            writer.write(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n")
        elif path.startswith(b"/huge"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            for _ in range(MEGABYTES):
                writer.write(b"x" * (1 << 20))
                await writer.drain()
        else:
            body = b'[{"text": "the boat lies in the harbour"}]'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
        await writer.drain()
    writer.close()


async def serve() -> None:
    """Listen, and print the port."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


@contextlib.asynccontextmanager
async def faulty_server() -> AsyncIterator[int]:
    """Run the server, and yield its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sources", "serve", stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def front(environment: dict[str, str]) -> AsyncIterator[tuple[Client, psutil.Process]]:
    """Run a front, warm, and yield a client with its process."""
    before = {child.pid for child in psutil.Process().children()}
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)) as client:
        (process,) = [child for child in psutil.Process().children() if child.pid not in before]
        await client.list_tools()
        await ask(client, "boat", sources=["ok"], budget_ms=10_000)
        yield client, process


async def ask(client: Client, query: str, **more: object) -> tuple[float, Any]:
    """Return the milliseconds of a call, and the block."""
    begun = time.perf_counter()
    result = await client.call_tool("memory_context", {"query": query, **more})
    assert not result.is_error, result.content
    return 1_000 * (time.perf_counter() - begun), result.structured_content


async def faults(environment: dict[str, str]) -> None:
    """Ask five sources, four of which fail."""
    took, grown, states = [], [], set()
    opened: list[float] = []
    for _ in range(FRONTS):
        async with front(environment) as (client, process):
            await ask(client, "harbour", sources=[])
            before = process.memory_info().rss
            for number in range(CALLS):
                ms, block = await ask(client, f"boat {number}", budget_ms=BUDGET_MS)
                took.append(ms)
                states.add(tuple((each["name"], each["state"]) for each in block["sources"]))
                assert "the boat lies in the harbour" in block["text"], block["sources"]
                assert all(each["state"] == "ok" or (each["cause"] and each["fix"]) for each in block["sources"])
            grown.append(process.memory_info().rss - before)
            opened += [(await ask(client, f"ship {number}", budget_ms=BUDGET_MS))[0] for number in range(OPEN_CALLS)]
    say(f"five sources, two hang, one fails, one sends {MEGABYTES} MB; budget {BUDGET_MS} ms; {len(took)} calls:")
    say(f"  answered in p50 {percentile(took, 0.5):.0f} ms, at most {max(took):.0f} ms")
    say(f"  the front's memory grew by {max(grown) / 2**20:.1f} MiB at most; states: {sorted(states)}")
    say(f"  with their breakers open: p50 {percentile(opened, 0.5):.1f} ms, at most {max(opened):.1f} ms")


async def cached(environment: dict[str, str]) -> None:
    """Ask a source whose answer is kept, in turns with the memories alone."""
    async with front(environment) as (client, _):
        source, whole, alone = [], [], []
        for number in range(CACHED_CALLS):
            limits = {"max_tokens": 1_000 + number}  # another argument: past the cache of whole responses
            ms, block = await ask(client, "boat", sources=["ok"], **limits)
            whole.append(ms)
            source += [each["took_ms"] for each in block["sources"] if each["name"] == "ok"]
            alone.append((await ask(client, "boat", sources=[], **limits))[0])
    say(f"a cached source: {percentile(source, 0.5):.0f} ms of a call, p50 of {CACHED_CALLS}")
    say(f"  the call: {percentile(whole, 0.5):.1f} ms; of the memories alone: {percentile(alone, 0.5):.1f} ms")


def written(folder: str, configuration: str) -> str:
    """Write a configuration, and return its path."""
    path = Path(folder, "config.toml")
    path.write_text(configuration)
    return str(path)


async def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with faulty_server() as port, daemon(folder, "--engine", "hash") as served:
            configuration = "\n".join(
                f'[sources.{name}]\nkind = "http"\nurl = "http://127.0.0.1:{port}/{name}?q={{query}}"\n'
                'items = "$[*]"\ncalls_per_minute = 100000\ncache_s = 3600\n'
                for name in NAMES
            )
            config = written(folder, configuration)
            environment = {
                "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                "MCP_MEMORY_SQLITE_PATH": f"{folder}/memory.db",
                "MCP_MEMORY_CONFIG": config,
                "MCP_MEMORY_LOG_LEVEL": "error",
            }
            await faults(environment)
            await cached(environment)


if __name__ == "__main__":
    asyncio.run(serve() if sys.argv[1:] == ["serve"] else main())
