"""Searches over HTTP: `python -m benchmarks.http_load [--front PATH]`, which prints requests a second of one front.

Some clients at a time, each with a connection of its own, search 3,000 memories in turns with one client alone. The
daemon's engine is `hash`, so that the front is what is measured. Two versions are compared by naming the program of
each in turn; `--store` keeps the memories between the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.kit import FRONT, Daemon, daemon, percentile, say
from benchmarks.scale import fill, turns, vectors

MEMORIES = 3_000
ASKED = 4_000
WARM = 100
"""Searches that are not counted."""
PROTOCOL = "2025-11-25"
HELLO = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Client:
    """One session on one connection."""

    def __init__(self, url: str, token: str) -> None:
        place = urlsplit(url)
        self._path = place.path
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        self._headers = HEADERS | {"Authorization": f"Bearer {token}"}
        self._post({"id": 0, "method": "initialize", "params": HELLO})
        self._headers["MCP-Protocol-Version"] = PROTOCOL
        self._post({"method": "notifications/initialized"})

    def _post(self, message: dict[str, object]) -> bytes:
        self._connection.request("POST", self._path, json.dumps({"jsonrpc": "2.0", **message}), self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{answer.status}: {body!r}")
        if session := answer.headers["Mcp-Session-Id"]:
            self._headers["Mcp-Session-Id"] = session
        return body

    def reconnect(self) -> None:
        """Begin with a connection that the front has not closed for idleness."""
        self._connection.close()

    def search(self, query: str) -> float:
        """Search, and return the seconds that it took."""
        begun = time.perf_counter()
        params = {"name": "memory_search", "arguments": {"query": query}}
        body = self._post({"id": 1, "method": "tools/call", "params": params})
        took = time.perf_counter() - begun
        if b'"degraded":false' not in body:
            raise RuntimeError(f"searched without vectors: {body!r}")
        return took


@dataclass(frozen=True, slots=True)
class Front:
    """A process that serves HTTP."""

    url: str
    token: str
    pid: int

    def cpu_s(self) -> float:
        """Return the seconds that the processors have worked for the process."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Return the memory that the process holds, in MB."""
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True)
        return int(shown.stdout) / 1024


@contextmanager
def serving(program: Path, served: Daemon, store: Path, folder: str, **more: str) -> Iterator[Front]:
    """Start a front over a store, with a token for it, and more in its environment."""
    environment = os.environ | {
        "MCP_MEMORY_SQLITE_PATH": str(store),
        "MCP_MEMORY_TOKENS_PATH": f"{folder}/tokens.json",
        "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
        "MCP_MEMORY_RESPONSE_CACHE_ENABLED": "0",
        "MCP_MEMORY_RATE_LIMIT_ENABLED": "0",
    }
    environment |= more
    made = [str(program), "token", "create", f"bench-{time.time_ns()}"]
    token = subprocess.run(made, env=environment, capture_output=True, text=True, check=True).stdout
    command = [str(program), "serve", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        url = next(found[0] for line in process.stderr if (found := re.search(r"https?://\S+", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # so that it never waits for a reader
        yield Front(url, re.findall(r"mm_\S+", token)[0], process.pid)
    finally:
        process.terminate()
        process.wait()


def together(clients: list[Client], queries: Iterator[str], count: int) -> tuple[float, list[float]]:
    """Let the clients search so often in all; return the searches a second, and the seconds of each."""
    left, lock = iter(range(count)), threading.Lock()

    def work(client: Client) -> list[float]:
        took: list[float] = []
        while True:
            with lock:
                if next(left, None) is None:
                    return took
                query = next(queries)
            took.append(client.search(query))

    for client in clients:
        client.reconnect()
    begun = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as threads:
        took = [seconds for of_one in threads.map(work, clients) for seconds in of_one]
    return count / (time.perf_counter() - begun), took


def measure(front: Front, asked: list[str], clients: int, searches: int) -> None:
    """Print what one client gets, then all together, three times."""
    crowd = [Client(front.url, front.token) for _ in range(clients)]
    queries = itertools.cycle(asked)
    together(crowd[:1], queries, WARM)
    before = front.resident_mb()
    for _ in range(3):
        for some in (crowd[:1], crowd):
            worked = front.cpu_s()
            rate, took = together(some, queries, searches)
            p50, p99 = (1e3 * percentile(took, part) for part in (0.5, 0.99))
            cpu = 1e3 * (front.cpu_s() - worked) / searches
            say(f"{len(some)} clients: {rate:.0f} searches/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, CPU {cpu:.1f} ms")
    say(f"resident: {before:.0f} MB before, {front.resident_mb():.0f} MB after")


async def main(program: Path, kept: Path | None, clients: int, searches: int) -> None:
    """Fill a store where it is not there yet, and measure a front over it."""
    said = turns(MEMORIES + ASKED)
    texts = [turn.text for turn in said]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        store = kept or Path(folder) / "memories.db"
        async with daemon(folder, "--engine", "hash") as served:
            if not store.exists():
                space, rows = await vectors(served, texts[:MEMORIES])
                await fill(store, space, said[:MEMORIES], rows, MEMORIES)
            with serving(program, served, store, folder) as front:
                await asyncio.to_thread(measure, front, texts[MEMORIES:], clients, searches)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--front", type=Path, default=FRONT, help="the program to measure")
    options.add_argument("--store", type=Path, help="a file of 3,000 memories, made where it is not there")
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--searches", type=int, default=800, help="in each of three rounds, by one client and by all")
    chosen = options.parse_args()
    asyncio.run(main(chosen.front, chosen.store, chosen.clients, chosen.searches))
