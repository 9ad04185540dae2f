"""Ten thousand memories out of one store and into another."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.application import export_format
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Change, Memory, NewMemory, Record, Revision
from memory_mcp.domain.names import nfc
from memory_mcp.maintenance.transfer import BATCH, Transfer
from memory_mcp.memories.indexing import Indexer
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import whole
from tests.fakes.embedder import FakeEmbedder

TURNS = Path(__file__).parents[3] / "shared/data/scale/sgd_turns.jsonl.gz"
COUNT = 10_000
BEGUN = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)


def make(store: SqliteStore, embedder: FakeEmbedder | None = None) -> Transfer:
    """Make the transfer of one store, by default without a daemon."""
    if embedder is None:
        embedder = FakeEmbedder()
        embedder.failure = EmbedderError("down")
    return Transfer(store, Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20))


def _turns() -> Iterator[NewMemory]:
    """Give real turns of dialogues where they are, else made ones."""
    if TURNS.exists():
        with gzip.open(TURNS, "rt", encoding="utf-8") as file:
            held = [json.loads(line) for line in islice(file, COUNT)]
    else:
        held = [{"text": f"turn {n} of a made dialogue", "group": f"g{n // 12}", "role": "USER"} for n in range(COUNT)]
    for number, turn in enumerate(held):
        yield NewMemory(
            content=turn["text"],
            namespace="work" if number % 3 else "home",
            tags=(turn["role"], f"t{number % 7}"),
            type="turn",
            metadata={"number": number, "nested": {"deep": [1, 2.5, None, True]}},
            conversation_id=turn["group"],
            created_at=BEGUN + timedelta(seconds=number),
            id=f"turn-{number}",
        )


async def test_ten_thousand_memories_make_the_round_trip(tmp_path: Path) -> None:
    """Each line is equal when the other store exports it again: ids, times, revisions, tags, conversations, order."""
    first, second = SqliteStore(tmp_path / "a.db"), SqliteStore(tmp_path / "b.db")
    news = list(_turns())
    for start in range(0, COUNT, 1_000):
        await first.add([(new, whole(new.content)) for new in news[start : start + 1_000]])
    for number in range(0, COUNT, 100):
        memory = await first.get(f"turn-{number}", "work" if number % 3 else "home")
        await first.update(memory, Change(content=f"{memory.content} (changed)", tags=("new",)), None, None)
    exported = [export_format.dump(record) async for record in make(first).export()]
    assert len(exported) == COUNT  # equal turns too: each has an id and a time of its own
    taking = make(second)
    for start in range(0, len(exported), BATCH):
        batch = [export_format.parse(line) for line in exported[start : start + BATCH]]
        await taking.import_records(batch)
    assert [export_format.dump(record) async for record in make(second).export()] == exported
    assert await second.verify() == []
    await first.close()
    await second.close()


async def test_what_is_imported_is_embedded_while_there_is_a_daemon(tmp_path: Path) -> None:
    """After the first failure the queue has the rest, and nothing more is asked."""
    store, embedder = SqliteStore(tmp_path / "a.db"), FakeEmbedder()
    records = [Record(_memory(id=f"m{n}", content=f"memory {n}")) for n in range(4)]
    taking = make(store, embedder)
    await taking.import_records(records[:1])
    embedder.failure = EmbedderError("down")
    await taking.import_records(records[1:2])
    asked = len(embedder.calls)
    await taking.import_records(records[2:])
    assert len(embedder.calls) == asked
    assert (await store.read(lambda it: it.queue(None))).pending == 3
    await store.close()


def _memory(**fields: object) -> Memory:
    known: dict[str, object] = {
        "key": 0,
        "id": "a",
        "namespace": "n",
        "content": "text",
        "tags": (),
        "type": "note",
        "metadata": {},
        "conversation_id": None,
        "created_at": BEGUN,
        "updated_at": BEGUN,
        "revision": 1,
        "embedded": False,
    }
    return Memory(**{**known, **fields})  # type: ignore[arg-type]  # as the fields above


# A store holds composed text alone: what a line spells otherwise is composed as it is read.
texts = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
    .map(nfc)
    .filter(lambda text: text.strip())
)
days = st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000))
times = days.map(lambda passed: BEGUN + passed)
metadata = st.dictionaries(
    st.text(max_size=5).map(nfc),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5).map(nfc),
)


@given(texts, texts, st.lists(texts, max_size=80), times, times, metadata, st.integers(1, 9))
def test_any_memory_is_the_same_after_its_line(
    content: str, was: str, tags: list[str], created: datetime, updated: datetime, held: dict[str, object], number: int
) -> None:
    """Whatever the text, the tags, the times and the metadata are."""
    revision = Revision(number, was, tuple(tags), "note", held, updated)
    memory = _memory(
        content=content,
        tags=tuple(tags),
        created_at=created,
        updated_at=updated,
        metadata=held,
        revision=number + 1,
        conversation_id=was,
    )
    record = Record(memory, (revision,))
    assert export_format.load(2, export_format.dump(record)) == record
