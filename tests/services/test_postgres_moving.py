"""A store with real memories and their history goes from SQLite to PostgreSQL and back, and nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

import pytest

from memory_mcp.application.transfer import Exported, export_lines, import_export
from memory_mcp.domain.models import Change, Filters, Lane, NewMemory, Space, Task
from memory_mcp.domain.ports import Store, SupportsDocuments
from memory_mcp.maintenance.transfer import Transfer
from memory_mcp.memories.indexing import Indexer
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import ingest
from tests.fakes.embedder import FakeEmbedder
from tests.services.postgres import Postgres, emptied

pytestmark = pytest.mark.services

DATA = Path(__file__).parents[3] / "shared/data"
SOURCES = ("locomo_dev_turn/corpus.jsonl", "scifact/corpus.jsonl", "scale/sgd_turns.jsonl.gz")
"""Conversations, abstracts and dialogues of real people, where they are."""
REAL = 10_000
"""So many are moved only where these are: the name of the test would not be true of made ones."""
BEGUN = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
PROBES = ("the adoption of a child", "cells of mice", "a table for two")
BATCH = 500


def texts() -> Iterator[tuple[str, str | None]]:
    """Yield contents with their conversations; made ones where there are no others."""
    for path in filter(Path.exists, (DATA / name for name in SOURCES)):
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for line in file:
                held = json.loads(line)
                yield held["text"], held.get("group")
    yield from ((f"turn {number} of a made dialogue", f"made-{number // 12}") for number in range(100_000))


def memories(count: int) -> Iterator[NewMemory]:
    """Yield that many memories, in two namespaces."""
    contents = (each for each in texts() if each[0].strip())
    for number, (content, conversation) in enumerate(islice(contents, count)):
        yield NewMemory(
            content=content,
            namespace="work" if number % 3 else "home",
            tags=(f"t{number % 7}", "Ünïcode"),
            type="turn" if conversation else "abstract",
            metadata={"number": number, "nested": {"deep": [1, 2.5, None, True]}},
            conversation_id=conversation,
            created_at=BEGUN + timedelta(seconds=number),
            id=f"m-{number}",
        )


class Mover:
    """Exports and imports, as the command line does."""

    def __init__(self) -> None:
        self.indexer = Indexer(FakeEmbedder(), interactive_budget_s=10, bulk_budget_s=60)

    async def fill(self, store: SqliteStore, count: int) -> None:
        """Write memories, then change every tenth, some twice, delete every fiftieth, and restore some of these."""
        written = list(memories(count))
        for start in range(0, count, BATCH):
            batch = written[start : start + BATCH]
            embedded, _ = await self.indexer.embed([new.content for new in batch], lane=Lane.BULK, space=None)
            await store.add(list(zip(batch, embedded, strict=True)))
        for number in chain(range(0, count, 10), range(0, count, 30)):
            memory = await store.get(f"m-{number}", written[number].namespace)
            change = Change(content=f"{memory.content} (changed)", tags=("new",), type="fact")
            [embedded_one], _ = await self.indexer.embed([f"{memory.content} (changed)"], lane=Lane.BULK, space=None)
            await store.update(memory, change, embedded_one, None)
        for number in range(0, count, 50):
            await store.delete([f"m-{number}"], Filters(written[number].namespace), dry_run=False)
        for number in range(0, count, 150):
            gone = await store.deleted(f"m-{number}", written[number].namespace)
            [embedded_one], _ = await self.indexer.embed([gone.content], lane=Lane.BULK, space=None)
            await store.undelete(gone, embedded_one)
        for number in range(5):
            await ingest(store.documents, f"file:///docs/{number}.txt", f"d{number}", [f"part {n}" for n in range(9)])

    async def exported(self, store: Store) -> bytes:
        """Return an export."""
        lines = [line async for line in export_lines(self._transfer(store), Exported(), without_documents=False)]
        return "".join(f"{line}\n" for line in lines).encode()

    async def imported(self, store: Store, export: bytes) -> None:
        """Import an export, which leaves nothing out."""
        source = io.BytesIO(export)
        source.name = "export"  # of a file, for its errors
        told = await import_export(source, self._transfer(store), lambda _: None)
        assert (told.conflicts, told.renamed, told.known, told.pending) == ([], [], 0, 0)

    def _transfer(self, store: Store) -> Transfer:
        return Transfer(store, self.indexer)


async def scores(store: Store, ids: Sequence[tuple[str, str]]) -> list[tuple[float, ...]]:
    """Return how near each memory's vector is to each probe."""
    probes = await FakeEmbedder().embed(PROBES, task=Task.QUERY, lane=Lane.BULK, budget_s=10, expected_space=None)
    found = [await store.get(memory_id, namespace) for namespace, memory_id in ids]
    keys = [memory.key for memory in found]
    assert all(memory.embedded for memory in found)
    near = [await _compared(store, item.vector or b"", probes.space, keys) for item in probes.items]
    return [tuple(of[key] for of in near) for key in keys]


async def _compared(store: Store, vector: bytes, space: Space, keys: Sequence[int]) -> dict[int, float]:
    return {
        match.key: match.score for match in await store.read(lambda it: it.everywhere().compare(vector, space, keys))
    }


@pytest.mark.parametrize("count", [300, pytest.param(REAL, marks=pytest.mark.slow)])
async def test_nothing_is_lost_on_the_way_there_and_back(
    postgres: Postgres, tmp_path: Path, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Every record is the same: texts, revisions, tags, times, conversations, namespaces, order, documents, vectors."""
    if count == REAL and (lacking := [name for name in SOURCES if not (DATA / name).exists()]):
        pytest.skip(f"{', '.join(lacking)} are not in {DATA}")
    mover = Mover()
    first, database, last = SqliteStore(tmp_path / "a.db"), emptied(postgres, None), SqliteStore(tmp_path / "b.db")
    took: dict[str, float] = {}
    begun = time.monotonic()

    def lap(name: str) -> None:
        nonlocal begun
        took[name], begun = round(time.monotonic() - begun, 1), time.monotonic()

    await mover.fill(first, count)
    lap("filled")
    before = await mover.exported(first)
    lap("SQLite exported")
    await mover.imported(database, before)
    lap("PostgreSQL imported")
    there = await mover.exported(database)
    lap("PostgreSQL exported")
    await mover.imported(last, there)
    lap("SQLite imported")
    assert there == before == await mover.exported(last)
    held = [line for line in map(json.loads, before.splitlines()[1:-1]) if line.get("type", "document") != "document"]
    ids = [(line["namespace"], line["id"]) for line in held]
    assert len(ids) == count - len(range(0, count, 50)) + len(range(0, count, 150))
    told = [await scores(store, ids[:: max(1, count // 1_000)]) for store in (first, database, last)]
    for other in told[1:]:
        assert all(math.dist(*pair) < 1e-4 for pair in zip(told[0], other, strict=True))
    for store in (database, last):
        assert isinstance(store, SupportsDocuments)
        assert [replace(one, key=0) for one in await store.documents.documents("here", 0, 9)] == [
            replace(one, key=0) for one in await first.documents.documents("here", 0, 9)
        ]
    assert await last.verify() == []
    record_property("seconds", took)
    for store in (first, database, last):
        await store.close()
