"""Large stores for measuring: real dialogue turns with real vectors, replicated with noise where more are wanted.

The turns are those of `../shared/data/scale`; where they are not at hand, texts are made. Vectors are computed once, by
the daemon, and kept in the user's cache folder.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from embedder_api.v1 import embedder_pb2 as pb
from numpy.typing import NDArray

from benchmarks.front import texts as made
from benchmarks.kit import DATA, Daemon, say
from memory_mcp.domain.models import Chunk, Embedded, NewMemory, Space
from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.store import SqliteStore

TURNS = DATA / "scale" / "sgd_turns.jsonl.gz"
NAMESPACE = "default"
NOISE = 0.02
"""Standard deviation of what is added to each number of a replicated unit vector."""
BATCH = 4_000
IN_FLIGHT = 2

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody said in a conversation."""

    conversation: str
    text: str


def turns(count: int) -> list[Turn]:
    """Return so many distinct turns, or made texts."""
    if not TURNS.exists():
        say(f"{TURNS} is not there: made texts instead")
        return [Turn(str(number // 10), text) for number, text in enumerate(made(count, 15))]
    distinct: dict[str, str] = {}
    with gzip.open(TURNS, "rt", encoding="utf-8") as lines:
        for turn in map(json.loads, lines):
            if turn["text"].strip():  # an empty one is among them
                distinct.setdefault(turn["text"], turn["group"])
    return [Turn(group, text) for text, group in islice(distinct.items(), count)]


async def vectors(daemon: Daemon, wanted: list[str]) -> tuple[Space, Rows]:
    """Return the vectors of these texts, unit length, from the cache folder where they were computed before."""
    info: pb.InfoResponse = await daemon.stub.Info(pb.InfoRequest())
    [first] = np.frombuffer((await daemon.embed(wanted[:1])).vectors, "<f4").reshape(1, -1)
    name = hashlib.blake2b(f"{info.space_id} {info.precision} {wanted}".encode(), digest_size=8).hexdigest()
    path = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "memory-mcp-bench" / f"{name}.f32"
    if not path.exists():
        say(f"embedding {len(wanted)} texts once, for {path}")
        rows = [row for start in range(0, len(wanted), 256 * IN_FLIGHT) for row in await _batch(daemon, wanted, start)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(rows))
    return Space(info.space_id, len(first)), np.fromfile(path, "<f4").reshape(len(wanted), -1)


async def _batch(daemon: Daemon, wanted: list[str], start: int) -> list[bytes]:
    places = range(start, min(len(wanted), start + 256 * IN_FLIGHT), 256)
    answers = await asyncio.gather(*(daemon.embed(wanted[at : at + 256], pb.LANE_BULK) for at in places))
    return [answer.vectors for answer in answers]


async def fill(path: Path, space: Space, said: list[Turn], rows: Rows, count: int) -> None:
    """Store so many memories in a file; see `fill_store`."""
    store = SqliteStore(path)
    await fill_store(store, space, said, rows, range(count))
    await store.close()


async def fill_store(store: Store, space: Space, said: list[Turn], rows: Rows, which: range) -> None:
    """Store these memories through the store's own writes; beyond the turns, other conversations repeat them."""
    chance = np.random.default_rng(0)
    for start in range(which.start, which.stop, BATCH):
        numbers = range(start, min(which.stop, start + BATCH))
        near = rows[[number % len(said) for number in numbers]]
        if start >= len(said):
            near = near + NOISE * chance.standard_normal(near.shape, dtype=np.float32)
            near /= np.linalg.norm(near, axis=1, keepdims=True)
        await store.add([_entry(number, said, space, row) for number, row in zip(numbers, near, strict=True)])


def _entry(number: int, said: list[Turn], space: Space, row: Rows) -> tuple[NewMemory, Embedded]:
    turn = said[number % len(said)]
    new = NewMemory(turn.text, NAMESPACE, conversation_id=f"{turn.conversation}-{number // len(said)}")
    return new, Embedded((Chunk(0, len(turn.text), row.astype("<f4").tobytes()),), space)
