"""`make bench-store`: 3,000 to a million memories, searched and written over stdio, with the parts of each figure."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from embedder_api.v1 import embedder_pb2 as pb

from benchmarks.front import handshake
from benchmarks.kit import FRONT, MODEL_PYTHON, Daemon, daemon, p50, percentile, report, say
from benchmarks.scale import NAMESPACE, Rows, Turn, fill, turns, vectors
from memory_mcp.domain.models import Filters, Space
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search.candidates import CandidateScorer
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.storage.sqlite.store import SqliteStore

KNOWN, ASKED = 100_000, 1_200
SIZES = (3_000, 10_000, 100_000, 1_000_000)
WARM = 20
SEARCHES = 1_000
LOG_BYTES = 4 << 20
"""Of the write-ahead log before SQLite begins at its start again."""
EMPTY = [sys.executable, str(Path(__file__).with_name("empty_server.py"))]


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is stored and what is asked, with the vectors of both."""

    said: list[Turn]
    known: Rows
    asked: list[str]
    rows: Rows


@dataclass(frozen=True, slots=True)
class Floor:
    """What no front can do without: milliseconds of a call and of an embedding, MB of an empty server."""

    call: float
    embed: float
    resident: float
    own: float


class Line:
    """A bare client of one server over stdio, so that a client library's own time is not counted."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | environment
        )
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}
        self.request("initialize", hello)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.request("tools/list", {})

    def _send(self, message: Mapping[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def request(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        """Ask and wait."""
        assert self.process.stdout is not None
        self._send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        while True:
            answer: dict[str, Any] = json.loads(self.process.stdout.readline())
            if answer.get("id") == 1:
                result: dict[str, Any] = answer["result"]
                return result

    def tool(self, name: str, **arguments: object) -> dict[str, Any]:
        """Call a tool."""
        result = self.request("tools/call", {"name": name, "arguments": arguments})
        assert not result.get("isError"), result
        structured: dict[str, Any] = result["structuredContent"]
        return structured

    def memory(self, kind: str) -> float:
        """Return MB of the process's memory of this kind (VmRSS, RssAnon)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(kind)) / 1024

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def clocked(work: Callable[[], object]) -> float:
    """Return the milliseconds of a call."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


def timed(work: Callable[[int], object], numbers: range) -> list[float]:
    """Return the milliseconds of each call."""
    return [clocked(partial(work, number)) for number in numbers]


async def in_turns(rounds: int, **parts: Callable[[int], Awaitable[object] | object]) -> dict[str, float]:
    """Return the median milliseconds of each part; they take turns, and each is given the number of the round."""
    took: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(WARM + rounds):
        for name, part in parts.items():
            begun = time.perf_counter()
            done = part(number)
            if isinstance(done, Awaitable):
                await done
            took[name].append((time.perf_counter() - begun) * 1e3)
    return {name: percentile(values[WARM:], 0.5) for name, values in took.items()}


async def parts(path: Path, space: Space, asked: list[str], rows: Rows) -> dict[str, float]:
    """Return the median milliseconds of what the store does in a search."""
    store = SqliteStore(path)
    filters = Filters(NAMESPACE)

    async def p50_of(work: Callable[[Snapshot, int], object]) -> float:
        return 1e3 * await p50(lambda i: store.read(lambda it: work(it, i)))

    row = [one.tobytes() for one in rows]
    found = await store.read(lambda it: it.nearest(row[0], space, filters, 50))
    keys = [match.key for match in found][:10]
    measured = {
        "words": await p50_of(lambda it, i: _by_words(it, filters, asked[i])),
        "vectors": await p50_of(lambda it, i: it.nearest(row[i], space, filters, 50)),
        "sample": await p50_of(
            lambda it, i: it.background_scores(row[i], space, NAMESPACE, DEFAULT_POLICY.background.sample)
        ),
        "fetch": await p50_of(lambda it, _: it.everywhere().fetch(keys)),
    }
    await store.close()
    return measured


def _by_words(it: Snapshot, filters: Filters, text: str) -> None:
    query = QueryAnalyzer.of(it, filters.namespace, DEFAULT_POLICY.lexical).keyword_query(text)
    CandidateScorer(it, filters, 50, DEFAULT_POLICY).keywords(query)


async def recall(path: Path, space: Space, known: Rows, rows: Rows) -> float:
    """Return the share of the ten nearest that the store finds; as near as the tenth counts."""
    store = SqliteStore(path)

    def share(it: Snapshot, row: Rows) -> float:
        tenth = float(np.sort(known @ row)[-10])
        found = it.nearest(row.tobytes(), space, Filters(NAMESPACE), 10)
        return sum(match.score >= tenth - 1e-5 for match in found) / 10

    shares = await store.read(lambda it: [share(it, row) for row in rows[:300]])
    await store.close()
    return float(np.mean(shares))


def in_process(asked: list[str], known: Rows) -> float:
    """Return the median milliseconds of sentence-transformers' encode and an exact scan of these vectors."""
    rows = base64.b64encode(known.tobytes()).decode()
    sent = json.dumps({"single": asked[:60], "bulk": asked[:8], "scanned": rows})
    command = [str(MODEL_PYTHON), "-m", "benchmarks.in_process"]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # whose threads would spin beside torch's
    done = subprocess.run(command, input=sent, capture_output=True, text=True, check=True, env=alone)
    answer: dict[str, float] = json.loads(done.stdout)
    return 1e3 * answer["single_s"]


async def searches(served: Daemon, path: Path, asked: list[str]) -> tuple[float, float, Line]:
    """Return p50 and p99 of a search through stdio in ms, and the front that was asked."""
    environment = {
        "MCP_MEMORY_SQLITE_PATH": str(path),
        "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
        "MCP_MEMORY_RESPONSE_CACHE_ENABLED": "0",
    }
    front = Line([str(FRONT), "serve"], environment)

    def ask(number: int) -> None:
        assert not front.tool("memory_search", query=asked[number])["degraded"]

    first = timed(ask, range(WARM))[0]
    took = timed(ask, range(WARM, SEARCHES))
    say(f"         the first search, with all imports: {first:.0f} ms")
    return percentile(took, 0.5), percentile(took, 0.99), front


async def writes(served: Daemon, folder: str, corpus: Corpus) -> None:
    """Measure storing: one memory, with and without the daemon, each beside its floor, and ten thousand."""
    environment = {"MCP_MEMORY_SQLITE_PATH": f"{folder}/writes.db", "MCP_MEMORY_EMBEDDER_ADDRESS": served.address}
    front, empty = Line([str(FRONT), "serve"], environment), Line(EMPTY, {})

    written = _bytes_of_a_commit(front, Path(f"{folder}/writes.db-wal"))
    stored = partial(
        in_turns,
        300,
        call=lambda _: empty.request("tools/call", {"name": "nothing"}),
        sync=lambda number: _sync(folder, written, number),
    )
    one = await stored(
        store=lambda number: front.tool("memory_store", content=corpus.asked[2 * number]),
        embed=lambda number: served.embed([corpus.asked[2 * number + 1]]),
    )
    least = one["call"] + one["sync"] + one["embed"]
    what = f"no-op + {written:,} bytes synced + embedding"
    report("memory_store, p50", one["store"], what, least, "ms", "at most 1.15")
    many, alone = await _many(served, front, corpus.said)
    report("memory_store_many", many, "the daemon alone", alone, "/s", "at least 0.8")
    front.close()
    dead = environment | {"MCP_MEMORY_EMBEDDER_ADDRESS": served.address + ".dead", "MCP_MEMORY_LOG_LEVEL": "error"}
    front = Line([str(FRONT), "serve"], dead)
    one = await stored(store=lambda number: front.tool("memory_store", content=f"again: {corpus.asked[number]}"))
    least = one["call"] + 1.5 * one["sync"] + 1
    report("memory_store without a daemon", one["store"], "no-op + 1.5 fsyncs + 1", least, "ms", "at most 1")
    front.close()
    empty.close()


async def _many(served: Daemon, front: Line, said: list[Turn]) -> tuple[float, float]:
    """Store ten thousand, and let the daemon embed as many others, in turns; return how many a second of each."""
    stored_s = embedded_s = 0.0
    for start in range(0, 10_000, 1_000):
        begun = time.perf_counter()
        front.tool("memory_store_many", items=[{"content": turn.text} for turn in said[start : start + 1_000]])
        stored_s += time.perf_counter() - begun
        begun = time.perf_counter()
        await _bulk(served, [turn.text for turn in said[10_000 + start : 11_000 + start]])
        embedded_s += time.perf_counter() - begun
    return 10_000 / stored_s, 10_000 / embedded_s


async def _bulk(served: Daemon, texts: list[str]) -> None:
    """Let the daemon embed texts, four calls of 64 at a time."""
    for start in range(0, len(texts), 256):
        calls = [texts[at : at + 64] for at in range(start, min(start + 256, len(texts)), 64)]
        await asyncio.gather(*(served.embed(call, pb.LANE_BULK) for call in calls))


def _bytes_of_a_commit(front: Line, log: Path) -> int:
    """Return by how much the write-ahead log grows with a memory; the median of some that begin a store."""
    sizes = [_stored(front, f"The {number}th memory, to see what is written.", log) for number in range(10)]
    return int(percentile([after - before for before, after in pairwise(map(float, sizes))], 0.5))


def _stored(front: Line, content: str, log: Path) -> int:
    front.tool("memory_store", content=content)
    return log.stat().st_size


def _sync(folder: str, size: int, number: int) -> None:
    """Write so many bytes over others, as a write-ahead log does, and wait until they are on disk."""
    with open(f"{folder}/synced", "r+b" if number else "wb") as file:  # noqa: PTH123 - written to at a place
        if not number:
            file.write(bytes(LOG_BYTES))
        file.seek(number * size % (LOG_BYTES - size))
        file.write(b"x" * size)
        file.flush()
        os.fsync(file.fileno())


async def measured(served: Daemon, path: Path, space: Space, corpus: Corpus, floor: Floor) -> float:
    """Store as many memories as the file is named after, print what a search takes; return its p50 in ms."""
    size = int(path.stem)
    begun = time.perf_counter()
    await fill(path, space, corpus.said, corpus.known, size)
    say(f"{size:,} memories, stored in {time.perf_counter() - begun:.0f} s")
    half, most, front = await searches(served, path, corpus.asked)
    say(f"         search p50 {half:.1f}, p99 {most:.1f} ms; no-op {floor.call:.2f}, embedding {floor.embed:.1f} ms")
    shares = await parts(path, space, corpus.asked, corpus.rows)
    say("         " + ", ".join(f"{part} {took:.1f}" for part, took in shares.items()) + " ms")
    report("its memory, with what is mapped", front.memory("VmRSS"), "an empty server", floor.resident, "MB")
    report("its own memory", front.memory("RssAnon"), "an empty server", floor.own, "MB", "at most 1.4")
    if size == SIZES[0]:
        await _beside_floor(served, front, corpus)
    front.close()
    if size <= len(corpus.known):
        found = await recall(path, space, corpus.known[:size], corpus.rows)
        say(f"         recall@10 of the vectors: {found:.4f}")
    return half


async def _beside_floor(served: Daemon, front: Line, corpus: Corpus) -> None:
    """Measure searches in turns with what none can do without: after a pause a model takes longer."""
    empty = Line(EMPTY, {})
    one = await in_turns(
        80,
        search=lambda number: front.tool("memory_search", query=corpus.asked[SEARCHES + number]),
        call=lambda _: empty.request("tools/call", {"name": "nothing"}),
        embed=lambda number: served.embed([corpus.asked[-1 - number]]),
    )
    empty.close()
    report("search, in turns with", one["search"], "no-op + embedding", one["call"] + one["embed"], "ms")


async def main(sizes: Sequence[int]) -> None:
    """Measure stores of these sizes."""
    said = turns(KNOWN + ASKED)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, "--cache-mb", "0") as served:
            space, rows = await vectors(served, [turn.text for turn in said])
            corpus = Corpus(said[:KNOWN], rows[:KNOWN], [turn.text for turn in said[KNOWN:]], rows[KNOWN:])
            floor = await _floor(served, corpus)
            await writes(served, folder, corpus)
            took = {size: await measured(served, Path(folder) / f"{size}.db", space, corpus, floor) for size in sizes}
            if SIZES[0] in took:
                alone = in_process(corpus.asked, corpus.known[: SIZES[0]])
                report("search, 3,000 memories", took[SIZES[0]], "encode, exact scan", alone, "ms", "at most 0.6")
            if {10_000, 1_000_000} <= took.keys():
                report("search, 1,000,000", took[1_000_000], "10,000", took[10_000], "ms", "at most 15")
            path = f"{folder}/{sizes[-1]}.db"
            settings = {"MCP_MEMORY_SQLITE_PATH": path, "MCP_MEMORY_EMBEDDER_ADDRESS": served.address + ".dead"}
            ours, least = await handshake([str(FRONT), "serve"], settings), await handshake(EMPTY, settings)
            report("start, the last store, no daemon", ours * 1e3, "an empty server", least * 1e3, "ms", "at most 1.15")


async def _floor(served: Daemon, corpus: Corpus) -> Floor:
    empty = Line(EMPTY, {})
    no_op = timed(lambda _: empty.request("tools/call", {"name": "nothing"}), range(1_000))
    embed = 1e3 * await p50(lambda i: served.embed([corpus.asked[-1 - i]]))
    floor = Floor(percentile(no_op, 0.5), embed, empty.memory("VmRSS"), empty.memory("RssAnon"))
    empty.close()
    return floor


if __name__ == "__main__":
    asyncio.run(main([int(size) for size in sys.argv[1:]] or SIZES))
