"""A store of the fifth version, in which one name may have two spellings, becomes one in which it has one."""

from __future__ import annotations

import json
import signal
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from memory_mcp.domain.models import Chunk, Embedded, Filters, Memory, Metadata, NewMemory, Space, Stored
from memory_mcp.storage.rows import digest, to_json
from memory_mcp.storage.sqlite.db.schema import APPLICATION_ID, migrations
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.records import writes
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.storage.sqlite.vectors import binary_search, chunks
from tests.contracts.shelf import SPACE, events, listed, near, nearest, offer, towards, worded
from tests.front.storage import earlier
from tests.front.storage.audit import audit, changes, opened
from tests.front.storage.conftest import Start

WIDE = Space("wide", 64)
"""Wide enough for signs."""

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from memory_mcp.storage.sqlite.maintenance import unify
from memory_mcp.storage.sqlite.store import SqliteStore

unify._fold_tags = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(SqliteStore(Path(sys.argv[1])).generation())
"""


def apart(text: str) -> str:
    """Return the decomposed form, as macOS hands it out."""
    return unicodedata.normalize("NFD", text)


class Old:
    """Writes a file as the fifth version did."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._path = path
        self._number = 0
        with opened(path) as db, db:
            db.execute("".join(migrations()[:5])).fetchall()
            db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", 5)

    def add(self, content: str, *, tags: Sequence[str] = (), embedded: Embedded | None = None, **fields: Any) -> int:
        """Insert a memory, with its index, passages and change; return its key."""
        self._number += 1
        row = {
            "id": f"m{self._number}",
            "namespace": "here",
            "conversation_id": None,
            "type": "note",
            "metadata": {},
            "deleted_at": None,
            **fields,
        }
        row["metadata"] = to_json(row["metadata"])
        with opened(self._path) as db:
            db.execute("BEGIN")
            key = self._insert(db, content, row, tags, embedded)
            db.execute("COMMIT")
        return key

    def _insert(
        self, db: apsw.Connection, content: str, row: dict[str, Any], tags: Sequence[str], embedded: Embedded | None
    ) -> int:
        db.execute(
            """INSERT INTO memories (id, namespace, conversation_id, type, metadata, deleted_at, content, digest,
                 created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)""",
            (*row.values(), content, digest(content), self._number),
        )
        key = db.last_insert_rowid()
        db.executemany("INSERT INTO tags (tag, key) VALUES (?, ?)", [(tag, key) for tag in tags])
        number = earlier.count_in(db, row["namespace"])
        if row["deleted_at"] is None:
            keywords.enter(db, key, number, content)
            whole = Embedded((Chunk(0, len(content)),), None)
            chunks.insert_all(db, key, row["namespace"], embedded or whole)
        else:
            earlier.count_out(db, row["namespace"])
        db.execute(
            "INSERT INTO changes (at, namespace, kind, memory_ids, tags) VALUES (1, ?, 'store', ?, ?)",
            (row["namespace"], to_json([row["id"]]), to_json(list(tags))),
        )
        return key

    def revise(self, key: int, tags: Sequence[str], type_: str, metadata: Metadata) -> None:
        """Give a memory a past."""
        with opened(self._path) as db, db:
            db.execute("UPDATE memories SET revision = 2 WHERE key = ?", (key,))
            db.execute(
                "INSERT INTO revisions VALUES (?, 1, 'was', ?, ?, ?, 0)",
                (key, to_json(list(tags)), type_, to_json(metadata)),
            )


@pytest.fixture
def old(path: Path) -> Old:
    """Give a file of the fifth version."""
    return Old(path)


async def _all(store: SqliteStore, namespace: str) -> list[Memory]:
    return list((await store.read(lambda it: it.page(Filters(namespace), limit=100, cursor=None))).memories)


async def test_every_name_is_composed(path: Path, old: Old, store: SqliteStore) -> None:
    """Id, namespace, conversation, type, tags, and metadata at any depth; the content stays as it is."""
    name = apart("é")
    metadata = {name: [{name: name, "n": 1}, name], "plain": {"b": name}}
    key = old.add(name, id=name, namespace=name, conversation_id=name, type=name, tags=(name, "É"), metadata=metadata)
    old.revise(key, (name, "É", "other"), name, metadata)
    [memory] = await _all(store, "é")
    assert memory == await store.get("é", "é")
    assert (memory.content, memory.conversation_id, memory.type, memory.tags) == (name, "é", "é", ("é",))
    assert memory.metadata == {"é": [{"é": "é", "n": 1}, "é"], "plain": {"b": "é"}}
    [revision] = await store.revisions(memory)
    assert (revision.content, revision.type, revision.tags) == ("was", "é", ("é", "other"))
    assert revision.metadata == memory.metadata
    assert (await store.totals()).namespaces == 1
    assert await store.namespaces_like("", 9) == ["é"]
    await store.close()
    audit(path)


async def test_what_was_composed_is_left_alone(path: Path, old: Old, store: SqliteStore) -> None:
    """The log is not told of it, and the tags keep their spelling."""
    old.add("one", tags=("Work", "é", "ΛΌΓΟΣ"), metadata={"a\nb": "\u0301", "é": 1})
    before = changes(path)
    [memory] = await _all(store, "here")
    assert (memory.tags, memory.metadata) == (("Work", "é", "ΛΌΓΟΣ"), {"a\nb": "\u0301", "é": 1})
    assert await listed(store, Filters("here", tags=("work", "λόγος"), tag_match="all")) == ["one"]
    assert changes(path) == before
    await store.close()
    audit(path)


async def test_tags_of_a_memory_become_one(path: Path, old: Old, store: SqliteStore) -> None:
    """Spelled in other letters or in another form; the log names memory and tags, so that subscribers hear of it."""
    old.add("one", tags=("Café", "café", apart("café"), "tea"))
    old.add("two", tags=("tea",))
    [_, memory] = await _all(store, "here")
    assert memory.tags == ("Café", "tea")
    last = (await events(store, 2, 9))[-1]
    assert (last.kind, last.namespace, last.memory_ids) == ("update", "here", ("m1",))
    assert set(last.tags) == {"café", apart("café")}
    await store.close()
    audit(path)


async def test_namespaces_become_one(path: Path, old: Old, store: SqliteStore) -> None:
    """Their memories are found together, by words and by vectors, and counted together."""
    for number, namespace in enumerate(("é", apart("é"), apart("é"), "other")):
        embedded = Embedded((Chunk(0, 3, towards(10 * number)), Chunk(3, 6, towards(90))), SPACE)
        old.add(f"text {number}", namespace=namespace, embedded=embedded)
    old.add("waits", namespace=apart("é"))
    refused = Chunk(0, 7, None, "too odd")
    old.add("refused", namespace=apart("é"), embedded=Embedded((refused,), SPACE))
    old.add("deleted", namespace=apart("é"), deleted_at=5, id="gone")
    texts = ["text 0", "text 1", "text 2"]
    assert await near(store, Filters("é")) == texts
    assert sorted(await worded(store, "text", Filters("é"))) == texts
    assert await listed(store, Filters("é")) == ["refused", "waits", *texts[::-1]]
    assert (await store.statistics("é", 5)).memories == 5
    queue = await store.read(lambda it: it.queue("é"))
    assert (queue.pending, queue.failed, queue.last_error) == (1, 1, "too odd")
    assert await store.namespaces_like("", 9) == ["other", "é"]
    assert (await store.deleted("gone", "é")).namespace == "é"
    assert {event.namespace for event in await events(store, 7, 9)} == {"é", apart("é")}
    await store.close()
    audit(path)


async def test_ids_that_become_one_stay_two_memories(path: Path, old: Old, store: SqliteStore) -> None:
    """Who was composed keeps the id, else who lives, else who is older; no memory is lost."""
    old.add("decomposed", id=apart("é"))
    old.add("composed", id="é")
    old.add("gone", id=apart("ü"), deleted_at=5)
    old.add("alive", id="u\u0308", namespace=apart("hé"))
    old.add("gone there", id="ü", namespace="hé", deleted_at=5)
    old.add("older", id="x", namespace=apart("né"))
    old.add("numbered", id="x-2", namespace=apart("né"))
    old.add("newer", id="x", namespace="né")
    old.add("long", id=apart("é") * 60 + "x" * 68, namespace="l")
    old.add("long composed", id="é" * 60 + "x" * 68, namespace="l")
    assert (await store.get("é", "here")).content == "composed"
    assert (await store.get("é-2", "here")).content == "decomposed"
    assert (await store.deleted("ü", "here")).content == "gone"
    assert (await store.deleted("ü", "hé")).content == "gone there"
    assert (await store.get("ü-2", "hé")).content == "alive"
    assert (await store.get("x", "né")).content == "newer"
    found = {memory.content: memory.id for memory in await _all(store, "né")}
    assert found == {"newer": "x", "older": "x-2", "numbered": "x-2-2"}
    assert sorted(len(memory.id) for memory in await _all(store, "l")) == [122, 128]
    await store.close()
    audit(path)


async def test_members_that_become_one_are_kept(old: Old, store: SqliteStore) -> None:
    """A number tells them apart."""
    old.add("one", metadata={apart("é"): 1, "é": 2, "é-2": 3, "deep": {apart("é"): 1, "é": [apart("é")]}})
    [memory] = await _all(store, "here")
    assert memory.metadata == {"é": 2, "é-2": 3, "é-3": 1, "deep": {"é": ["é"], "é-2": 1}}


async def test_metadata_that_was_there_is_known(path: Path, old: Old, store: SqliteStore) -> None:
    """A retry with equal metadata finds it, by an index: equal texts that differ in it may be thousands."""
    old.add("one", metadata={"n": 1.0, "m": [2]})
    assert (await offer(store, "one", metadata={"m": [2.0], "n": 1})) == Stored("m1", created=False, embedded=False)
    seen: list[str] = []
    with opened(path) as db:
        db.exec_trace = lambda _, sql, __: bool([seen.append(sql)])  # type: ignore[func-returns-value]
        wanted = NewMemory("one", "here", metadata={"n": 1, "m": [2]})
        assert writes.add(db, wanted, Embedded((), None), 0, 0).created is False
        db.exec_trace = None
        [looking] = [sql for sql in seen if "min(key)" in sql]
        plan = db.execute(f"EXPLAIN QUERY PLAN {looking}", (None,) * looking.count("?")).fetchall()
    assert "memories_by_metadata (namespace=? AND digest=? AND metadata_digest=?" in str(plan)


async def test_signs_of_a_namespace_that_became_another_are_not_missed(path: Path, old: Old) -> None:
    """A file of signs that lies beside the store knows the memories by their old namespace."""
    row = towards(0) * 8
    embedded = Embedded((Chunk(0, 3, row),), WIDE)
    for number in range(3):
        old.add(f"text {number}", namespace=("é", apart("é"))[number % 2], embedded=embedded)
    with opened(path) as db:
        db.execute("ALTER TABLE namespaces RENAME TO partitions")  # as this version's code calls it
        for namespace in ("é", apart("é")):
            assert binary_search.BinaryVectorIndex(path).nearest(db, 1, row, WIDE, Filters(namespace), 5)
        db.execute("ALTER TABLE partitions RENAME TO namespaces")
    store = SqliteStore(path, large=1)
    assert len(await nearest(store, row, WIDE, Filters("é"), 5)) == 3
    await store.close()
    audit(path)


async def test_a_migration_that_is_killed_leaves_the_old_store(
    path: Path, old: Old, store: SqliteStore, start: Start
) -> None:
    """All of it is one transaction: the next process does it from the beginning."""
    old.add("one", id=apart("é"), namespace=apart("é"), tags=(apart("é"),))
    process = start(KILLED, path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with opened(path) as db:
        assert db.pragma("user_version") == 5
        assert db.execute("SELECT id, namespace, tag FROM memories JOIN tags USING (key)").fetchone() == (
            *[apart("é")] * 2,
            apart("é"),
        )
    assert [replace(memory, key=0).tags for memory in await _all(store, "é")] == [("é",)]
    await store.close()
    audit(path)
    with opened(path.with_name("memories.schema-5.db")) as kept:
        assert json.loads(str(kept.execute("SELECT json_group_array(tag) FROM tags").get)) == [apart("é")]
