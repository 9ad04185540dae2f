"""What encryption costs: the same searches and writes on a plain and an encrypted store, in turns.

Each store is open in a process of its own, which has the vectors of the texts at hand: no daemon's time is counted.
`--python OTHER` compares two plain stores instead, the second under another interpreter: with another SQLite, say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.front import texts
from benchmarks.kit import ROOT, percentile, say
from memory_mcp.domain.models import Chunk, Embedded, EmbeddedText, Embedding, Filters, Lane, NewMemory, Space, Task
from memory_mcp.hooks.no_embedder import NoEmbedder
from memory_mcp.search.models import SearchQuery
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.storage.keys import KeyPlace, RememberedKeys
from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption
from memory_mcp.storage.sqlite.store import SqliteStore

KNOWN: Final = 3_000
ROUNDS: Final = 80
SEARCHES, WRITES = 10, 5
"""Of one turn."""
ENCRYPTED: Final = "encrypted"
SPACE: Final = Space("bench", 384)
HERE: Final = Filters("default")


def vector(text: str) -> bytes:
    """Return a unit vector of the text's own."""
    row = np.random.default_rng(list(text.encode()[:64])).standard_normal(SPACE.dimensions, dtype=np.float32)
    return bytes((row / np.linalg.norm(row)).astype("<f4").tobytes())


class InstantEmbedder(NoEmbedder):
    """Gives each text a vector of its own."""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        del task, lane, budget_s, expected_space
        return Embedding(SPACE, tuple(EmbeddedText(vector(text)) for text in texts))


def _entry(text: str) -> tuple[NewMemory, Embedded]:
    return NewMemory(text, "default"), Embedded((Chunk(0, len(text), vector(text)),), SPACE)


async def serve(path: Path) -> None:
    """Answer each line (search or store, a number, how many) with the milliseconds of one: processor, wall."""
    known, new = texts(KNOWN, 40), texts(ROUNDS * WRITES * 2 + 1, 41)
    place = KeyPlace(path, file=path.with_suffix(".key"))
    if path.stem == ENCRYPTED:
        Encryption(path, path.parent, place).encrypt(lambda _: None)
    store = SqliteStore(path, keys=RememberedKeys(place))
    pipeline = SearchPipeline(store, InstantEmbedder(), budget_s=1)
    await store.add([_entry(text) for text in known])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        what, number, count = line.split()
        begun = time.process_time(), time.perf_counter()
        for at in range(int(number), int(number) + int(count)):
            if what == "search":
                await pipeline.run(SearchQuery(" ".join(known[at % KNOWN].split()[:8]), HERE))
            else:
                await store.add([_entry(new[at])])
        took = [1e3 * (now - then) / int(count) for now, then in zip(_clocks(), begun, strict=True)]
        sys.stdout.write(json.dumps(took) + "\n")
        sys.stdout.flush()
    await store.close()


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


class Part:
    """A process with a store open."""

    def __init__(self, python: str, path: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.encryption", "--serve", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._answer() == "ready\n"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def ask(self, line: str) -> tuple[float, float]:
        """Return the milliseconds of processor and wall."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        processor, wall = json.loads(self._answer())
        return processor, wall

    def resident_mb(self) -> float:
        """Return its memory, with what is mapped."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def compared(parts: dict[str, Part], what: str, count: int) -> None:
    """Print the medians of both, measured in turns, and their ratio."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    for turn in range(ROUNDS):
        for name in list(parts) if turn % 2 else reversed(parts):
            took[name].append(parts[name].ask(f"{what} {turn * count} {count}"))
    first, second = parts
    for at, clock in enumerate(("processor", "wall")):
        one, other = (percentile([times[at] for times in took[name]], 0.5) for name in parts)
        pairs = [b[at] / a[at] for a, b in zip(took[first], took[second], strict=True)]
        ratio = percentile(pairs, 0.5)
        say(f"{ratio:6.3f} x  {what}, {clock}: {second} {other:.3f} ms, {first} {one:.3f} ms")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--python", help="another interpreter, for two plain stores")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve))
        return
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        other = "other" if given.python else ENCRYPTED
        names = {"plain": sys.executable, other: given.python or sys.executable}
        parts = {name: Part(python, Path(folder) / f"{name}.db") for name, python in names.items()}
        compared(parts, "search", SEARCHES)
        compared(parts, "store", WRITES)
        for name, part in parts.items():
            say(f"{part.resident_mb():6.1f} MB  {name}")
            part.close()
    say(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
