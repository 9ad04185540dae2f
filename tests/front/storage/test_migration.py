"""A store that an earlier version made becomes one of this version's, whole."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import apsw
import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import DOCUMENT, Chunk, Condition, Embedded, MissedChanges
from memory_mcp.search.lexical import bm25
from memory_mcp.storage.rows import digest
from memory_mcp.storage.sqlite.db import connection
from memory_mcp.storage.sqlite.db import file as sqlite_file
from memory_mcp.storage.sqlite.db.changes import log_change
from memory_mcp.storage.sqlite.db.schema import APPLICATION_ID, migrations
from memory_mcp.storage.sqlite.lexical import keywords, scoring
from memory_mcp.storage.sqlite.maintenance import copies
from memory_mcp.storage.sqlite.records import writes
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.storage.sqlite.vectors import chunks
from tests.contracts.shelf import (
    HERE,
    SPACE,
    events,
    keyword_search,
    listed,
    near,
    nearest,
    new,
    put,
    towards,
    whole,
    worded,
)
from tests.front.storage import earlier
from tests.front.storage.audit import audit, opened
from tests.front.storage.conftest import Start

KILLED = """
import os, signal, sys, asyncio
from pathlib import Path
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.db import connection
from memory_mcp.storage.sqlite.db import file as sqlite_file
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE

entered = keywords._enter

def dying(db, terms, key, number, content):
    if key == 60:
        os.kill(os.getpid(), signal.SIGKILL)
    entered(db, terms, key, number, content)

keywords._enter = dying
asyncio.run(SqliteStore(Path(sys.argv[1])).read(lambda it: it.page(HERE, limit=1, cursor=None)))
"""


def make_old(path: Path, count: int) -> None:
    """Make a store of the first version, with deleted and rewritten memories in two namespaces."""
    path.parent.mkdir()
    with opened(path) as db:
        db.pragma("journal_mode", "WAL")
        with db:
            db.execute(migrations()[0]).fetchall()
            for number in range(count):
                _insert(db.execute, number)
            db.execute("UPDATE memories SET content = content || ' rewritten' WHERE key % 5 = 0")
            db.execute("UPDATE memories SET deleted_at = 1 WHERE key % 7 = 0")
            db.execute("INSERT INTO passages (key, first, last, state) SELECT key, 0, 9, 'pending' FROM live")
            db.execute(
                """INSERT INTO changes (at, namespace, kind, memory_ids, tags)
                   SELECT 1, namespace, 'store', json_array(id), '[]' FROM memories"""
            )
            db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", 1)


def make_of(path: Path, version: int, contents: Sequence[str]) -> None:
    """Make a store of a version that filed words as this one does, with memories "m0", "m1", ... in one namespace."""
    path.parent.mkdir()
    with opened(path) as db, db:
        for script in migrations()[:version]:
            db.execute(script).fetchall()
        for number, content in enumerate(contents):
            db.execute(
                """INSERT INTO memories (id, namespace, type, content, digest, metadata, created_at, updated_at)
                   VALUES (?, 'here', 'note', ?, ?, '{}', ?, ?)""",
                (f"m{number}", content, digest(content), number, number),
            )
            key = db.last_insert_rowid()
            keywords.enter(db, key, earlier.count_in(db, "here"), content)
            chunks.insert_all(db, key, "here", Embedded((Chunk(0, len(content)),), None))
            log_change(db, 1, "store", "here", [f"m{number}"])
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", version)


def _insert(execute: object, number: int) -> None:
    content = f"memory {number} about getUserName 東京タワー"
    assert callable(execute)
    execute(
        """INSERT INTO memories (id, namespace, type, content, digest, metadata, created_at, updated_at)
           VALUES (?, ?, 'note', ?, ?, '{}', ?, ?)""",
        (f"m{number}", "there" if number % 3 else "here", content, digest(content), number, number),
    )


async def test_a_store_of_the_first_version_is_found_in(path: Path) -> None:
    """After the migration the index holds the live memories as this version would have put them there."""
    make_old(path, 100)
    store = SqliteStore(path)
    assert len(await worded(store, "user", limit=100)) == len(await listed(store)) == 29
    assert await worded(store, "東京 rewritten", limit=1) != []
    await put(store, "and a new one")
    assert await worded(store, "new") == ["and a new one"]
    await store.close()
    audit(path)


async def test_a_migration_that_is_killed_loses_nothing(path: Path, start: Start) -> None:
    """A process that dies in the middle leaves the old store, which the next process migrates."""
    make_old(path, 100)
    process = start(KILLED, path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with opened(path) as db:
        assert db.pragma("user_version") == 1
        assert db.execute("SELECT count(*) FROM keywords WHERE keywords MATCH 'rewritten'").get == 18
    store = SqliteStore(path)
    assert len(await listed(store)) == 29
    await store.close()
    audit(path)


async def test_who_opened_an_earlier_version_is_told_to_restart(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A front that has the file open neither writes nor reads when a newer one has migrated it: tables mean more."""
    await put(store, "early")
    of_tomorrow = (*migrations(), "CREATE TABLE tomorrow (x)")
    with monkeypatch.context() as newer:
        newer.setattr("memory_mcp.storage.sqlite.db.schema.migrations", lambda: of_tomorrow)
        newer.setattr("memory_mcp.storage.sqlite.db.connection.migrations", lambda: of_tomorrow)
        newer.setattr("memory_mcp.storage.sqlite.maintenance.copies.migrations", lambda: of_tomorrow)
        late = SqliteStore(path)
        await put(late, "migrated")
        assert await listed(late) == ["migrated", "early"]
        await late.close()
    with pytest.raises(StoreError, match="upgrade memory-mcp and restart"):
        await store.add([(new("late"), Embedded((), None))])
    with pytest.raises(StoreError, match="upgrade memory-mcp and restart"):
        await near(store)
    audit(path)


async def test_a_front_of_the_eighth_version_does_not_miss_its_documents_in_silence(path: Path) -> None:
    """What such a front asks, with the file open, fails once documents lie apart: they would be missing."""
    make_of(path, 8, ["a budget"])
    with opened(path) as old:
        counted = "SELECT number, memories FROM namespaces WHERE namespace = 'here'"  # of every search, and every write
        assert old.execute(counted).fetchone() == (1, 1)
        store = SqliteStore(path)
        await put(store, "a report", type=DOCUMENT)
        with pytest.raises(apsw.SQLError, match="no such table: namespaces"):
            old.execute(counted)
        await store.close()
    audit(path)


async def test_a_store_of_the_third_version_learns_languages(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was filed under English endings alone is filed under its own language's."""
    with monkeypatch.context() as old:
        old.setattr("memory_mcp.search.lexical.analyzer.language_of", lambda _: None)
        make_of(path, 3, ["Die Häuser stehen in den Wäldern"])
    store = SqliteStore(path)
    assert await worded(store, "Haus") == ["Die Häuser stehen in den Wäldern"]
    await store.close()
    audit(path)


async def test_a_store_of_the_fourth_version_keeps_its_terms_from_now_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index without the memories' terms is made anew: of what is live, common words are counted there."""
    make_of(path, 4, [f"{'budget' if number % 2 else 'meeting'} {number}" for number in range(3_200)])
    with opened(path) as db, db, monkeypatch.context() as old:
        old.setattr(keywords, "count_out", earlier.count_out)
        writes.delete(db, ["m3199"], HERE, 2, any_namespace=False)
    monkeypatch.setattr(scoring, "MAX_CACHED_NAMESPACE", 0)
    store = SqliteStore(path)
    found = await keyword_search(
        store, "budget 7", HERE, 1
    )  # half of the memories hold a budget, and one of these a seven
    assert next(iter(found.scores.values())) == pytest.approx(found.max_score / (bm25.K1 + 1), rel=0.02)
    assert await worded(store, "budget 7", limit=1) == ["budget 7"]
    assert await worded(store, "3199") == []
    await store.close()
    audit(path)


async def test_a_store_of_the_sixth_version_keeps_its_log_until_it_is_pruned(path: Path) -> None:
    """Readers go on where they were, and what is pruned later is known to have been there."""
    make_of(path, 6, [f"memory {number}" for number in range(5)])
    store = SqliteStore(path)
    assert [event.memory_ids for event in await events(store, 2)] == [("m2",), ("m3",), ("m4",)]
    audit(path)
    assert await store.prune_changes(datetime.now(UTC)) == 4
    assert await store.events(3, 9) == MissedChanges(5)
    assert await store.verify() == []
    await store.close()
    audit(path)


async def test_a_store_of_the_eighth_version_sets_its_documents_apart(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are searched by themselves from then on, with their vectors and those that wait; deleted ones stay so."""
    make_of(path, 8, [f"budget {number}" for number in range(6)])
    with opened(path) as db, db:
        for key in range(1, 5):
            chunks.drop_of(db, key)
            chunks.insert_all(db, key, "here", whole(f"budget {key - 1}", towards(10 * key)))
        with monkeypatch.context() as old:
            old.setattr(keywords, "count_out", earlier.count_out)
            writes.delete(db, ["m3"], HERE, 2, any_namespace=False)
        db.execute("UPDATE memories SET type = 'document' WHERE key IN (2, 3, 4, 5)")
    store = SqliteStore(path)
    assert await near(store) == ["budget 0"]
    found = await nearest(store, towards(0), SPACE, HERE, 9, documents=True)
    assert [match.key for match in found] == [2, 3]
    assert set((await keyword_search(store, "budget", HERE, 9)).scores) == {1, 6}
    assert set((await keyword_search(store, "budget", HERE, 9, documents=True)).scores) == {2, 3, 5}
    assert {waiting.text for waiting in await store.pending(9)} == {"budget 4", "budget 5"}
    await store.close()
    audit(path)


async def test_what_was_there_is_kept_before_a_migration(path: Path) -> None:
    """The file of the earlier schema lies beside the new one, whole, and only its owner can read it."""
    make_old(path, 10)
    store = SqliteStore(path)
    await put(store, "new")
    await store.close()
    kept = path.with_name("memories.schema-1.db")
    assert kept.stat().st_mode & 0o777 == 0o600
    with opened(kept) as db:
        assert db.pragma("user_version") == 1
        assert db.execute("SELECT count(*) FROM memories WHERE deleted_at IS NULL").get == 9
    assert sorted(file.name for file in path.parent.iterdir()) == ["memories.db", "memories.schema-1.db"]


async def test_health_says_that_a_newer_version_has_migrated(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written any more: the store has failed, and so has a read that the new schema has no answer to."""
    await put(store, "early")
    of_tomorrow = (*migrations(), "ALTER TABLE memories RENAME COLUMN conversation_id TO talk")
    with monkeypatch.context() as newer:
        newer.setattr("memory_mcp.storage.sqlite.db.schema.migrations", lambda: of_tomorrow)
        newer.setattr("memory_mcp.storage.sqlite.db.connection.migrations", lambda: of_tomorrow)
        newer.setattr("memory_mcp.storage.sqlite.maintenance.copies.migrations", lambda: of_tomorrow)
        late = SqliteStore(path)
        await late.generation()
        await late.close()
    finding = (await store.findings(None))["store"]
    assert (finding.condition, "upgrade memory-mcp and restart" in finding.cause) == (Condition.FAILED, True)
    with pytest.raises(StoreError, match="upgrade memory-mcp and restart"):
        await listed(store)


async def test_who_waits_for_a_migration_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A front that gives up waiting does not say to end the process that migrates, and goes on when that is done."""
    make_old(path, 10)
    monkeypatch.setattr(connection, "Patience", partial(sqlite_file.Patience, 50))
    store = SqliteStore(path)
    with opened(path) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"migrating .* to this version.* try again"):
            await listed(store)
        db.execute("ROLLBACK")
    assert len(await listed(store)) == 3
    await store.close()


async def test_a_backup_replaces_a_store_of_an_earlier_version(path: Path, tmp_path: Path) -> None:
    """Its namespaces hear of it, and the numbers that it gave them are not given again."""
    make_of(path, 8, ["a budget"])
    with opened(path) as db, db:
        db.execute("UPDATE sqlite_sequence SET seq = 40 WHERE name = 'namespaces'")
    source, store = SqliteStore(tmp_path / "source.db"), SqliteStore(path)
    await put(source, "elsewhere", namespace="there")
    await source.backup(tmp_path / "backup.db")
    copies.restore(tmp_path / "backup.db", path, tmp_path / "aside.db", 9)
    await put(store, "new", namespace="new")
    told = await events(store, 1, 10)
    assert {event.namespace for event in told if event.kind == "restore"} == {"here", "there"}
    with opened(path) as db:
        assert db.execute("SELECT number FROM partitions WHERE namespace = 'new'").get == 41
    await source.close()
    await store.close()
    audit(path)
