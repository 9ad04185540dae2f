"""The indexes of the file agree with its memories, whatever was done."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Change, Chunk
from memory_mcp.storage.sqlite.records import reads
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.operations import Operation, answers, histories
from tests.contracts.shelf import HERE, SPACE, after_a_crash, listed, new, offer, put, towards, whole
from tests.front.storage.audit import audit, changes, column, opened


@settings(max_examples=25)
@given(history=histories)
def test_indexes_agree_after_any_history(history: list[Operation]) -> None:
    """Keyword index, passages, vectors and counts hold exactly the live memories after any writes."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(answers(SqliteStore(Path(folder) / "m.db"), history, after_a_crash))
        audit(max(Path(folder).glob("*.db"), key=lambda path: len(path.name)))


async def test_every_write_is_in_the_change_log(path: Path, store: SqliteStore) -> None:
    """Each write appends what it did to which memory, and what changed nothing appends nothing."""
    memory = await put(store, "one", id="a", tags=("x",))
    await offer(store, "one", id="a", tags=("x",))
    await offer(store, "one", tags=("y",))
    await offer(store, "other", id="a")
    await store.update(memory, Change(tags=("z",)), None, None)
    [waiting] = await store.pending(1)
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 3, towards(0))])])
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 3, towards(0))])])
    await store.delete(["a"], HERE, dry_run=True)
    await store.delete(["a"], HERE, dry_run=False)
    await store.acquire_lease("drain", "me", 1)
    assert changes(path) == [(kind, "a") for kind in ("store", "tag", "update", "embed", "delete")]
    with opened(path) as db:
        assert db.execute("SELECT namespace, tags FROM changes ORDER BY seq").fetchall() == [
            ("here", '["x"]'),
            ("here", '["x","y"]'),
            ("here", '["x","y","z"]'),
            ("here", "[]"),
            ("here", '["z"]'),
        ]


async def test_a_read_sees_one_moment(path: Path, store: SqliteStore) -> None:
    """What another process commits in the middle of a read is not seen by the rest of it, but by the next one."""
    await put(store, "one")

    def count_twice(db: apsw.Connection) -> list[object]:
        before = db.execute("SELECT count(*) FROM leases").get
        with opened(path) as other:
            other.execute("INSERT INTO leases VALUES ('name', 'owner', 0)")
        return [before, db.execute("SELECT count(*) FROM leases").get]

    assert await store._database.read(count_twice) == [0, 0]
    assert await store._database.read(lambda db: db.execute("SELECT count(*) FROM leases").get) == 1


async def test_a_failed_batch_leaves_nothing(path: Path, store: SqliteStore) -> None:
    """When one item cannot be written at all, none of its batch is, and the store goes on."""
    await put(store, "first", towards(0))
    short = whole("short", towards(0)[:-4])
    with pytest.raises(StoreError, match=str(path)):
        await store.add([(new("second"), whole("second", towards(1))), (new("short"), short)])
    assert await listed(store) == ["first"]
    await put(store, "third", towards(2))
    audit(path)
    assert len(changes(path)) == 2


async def test_keys_are_never_used_twice(path: Path) -> None:
    """The number of a deleted memory or passage is not given to another one, in another process neither."""
    store = SqliteStore(path)
    memory = await put(store, "one")
    [waiting] = await store.pending(9)
    await store.delete([memory.id], HERE, dry_run=False)
    await store.close()
    reopened = SqliteStore(path)
    assert (await put(reopened, "two")).key > memory.key
    assert (await reopened.pending(9))[0].passage_id > waiting.passage_id
    await reopened.close()
    with opened(path) as db:
        assert column(db, "SELECT key FROM memories") == [1, 2]


async def test_what_waits_is_found_without_looking_through_the_rest(store: SqliteStore) -> None:
    """Each front asks all the time: a queue that is nearly empty costs the same however many memories there are."""
    texts = [f"memory {number}" for number in range(500)]
    await store.add([(new(text), whole(text, towards(number))) for number, text in enumerate(texts)])
    await put(store, "waits")
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    def ask(db: apsw.Connection) -> tuple[int, int]:
        db.set_progress_handler(count, 1)
        try:
            return len(reads.pending(db, 9)), reads.queue(db, None).pending
        finally:
            db.set_progress_handler(None)

    assert await store._database.read(ask) == (1, 1)
    assert 0 < steps < len(texts)
