"""SIGKILL at any moment of a process that migrates a store, while others write to it or wait to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from memory_mcp.storage.sqlite.db.schema import migrations
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, new, towards, whole
from tests.front.storage import earlier
from tests.front.storage.audit import LIVE, audit, column, opened
from tests.front.storage.conftest import Start
from tests.front.storage.killing import (
    OTHER,
    ended,
    go,
    kill_within,
    let_write,
    logged,
    next_line,
    refused,
    start_others,
    told,
)

TEXTS = [" ".join(f"word{number * place % 997}" for place in range(80)) + f" {number}" for number in range(150)]
"""Long enough for the index to be what a migration spends its time on."""
KNOWS_LESS = """
from memory_mcp.storage.sqlite.db import connection, schema
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.storage.sqlite.maintenance import copies
from memory_mcp.storage.sqlite.records import writes
from tests.front.storage import earlier

writes._insert, writes._duplicate = earlier.insert, earlier.no_duplicate
keywords.count_out = earlier.count_out
connection.connect = earlier.seeing_partitions(connection.connect)
known = schema.migrations()[:3]
schema.migrations = connection.migrations = copies.migrations = lambda: known
"""
"""Makes a process one of an earlier version."""
SAYS_WHEN = """
from memory_mcp.storage.sqlite.maintenance import copies

keep = copies._keep_before_migration

def saying(*given):
    print("begins", flush=True)
    keep(*given)

copies._keep_before_migration = saying
"""
"""Lets a process say that it has begun to migrate: it has the write lock then."""


@pytest.fixture
async def old(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a store of the third version."""
    third = migrations()[:3]
    with monkeypatch.context() as patch:
        earlier.write_so(patch)
        patch.setattr("memory_mcp.storage.sqlite.db.schema.migrations", lambda: third)
        patch.setattr("memory_mcp.storage.sqlite.db.connection.migrations", lambda: third)
        patch.setattr("memory_mcp.storage.sqlite.maintenance.copies.migrations", lambda: third)
        store = SqliteStore(path)
        await store.add([(new(text, id=f"m{n}"), whole(text, towards(n))) for n, text in enumerate(TEXTS)])
        await store.close()
    return path


async def _seconds_of_migration(old: Path, folder: Path) -> float:
    copy = Path(shutil.copy(old, folder / "copy.db"))
    begun = time.monotonic()
    store = SqliteStore(copy)
    await store.read(lambda it: it.page(HERE, limit=1, cursor=None))
    await store.close()
    return time.monotonic() - begun


@pytest.mark.parametrize("seed", [5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 46))])
async def test_a_killed_migration_loses_nothing_of_anyones(old: Path, tmp_path: Path, start: Start, seed: int) -> None:
    """Old fronts write until they are told to restart, new ones as soon as they may, and all that they did is there."""
    seconds = await _seconds_of_migration(old, tmp_path)
    of_today = start_others(start, old)
    of_yesterday = {prefix: start(KNOWS_LESS + OTHER, old, prefix) for prefix in "ab"}
    migrating = start(SAYS_WHEN + OTHER, old, "k")
    let_write(of_yesterday)
    acts = {prefix: told(f"{next_line(front)}\n") for prefix, front in of_yesterday.items()}
    assert next_line(migrating) == "ready"
    go(migrating)
    assert next_line(migrating) == "begins"
    let_write(of_today)
    kill_within(migrating, seconds, seed)
    for prefix, front in of_yesterday.items():
        acts[prefix] += refused(front)
    for prefix, front in of_today.items():
        acts[prefix] = told(f"{next_line(front)}\n") + ended(front)
        assert front.returncode == 0
    for prefix, held in acts.items():
        assert held == logged(old, prefix)
    killed = ended(migrating)
    assert killed == logged(old, "k")[: len(killed)]
    assert len(logged(old, "k")) - len(killed) in {0, 1}
    audit(old)
    with opened(old) as db:
        assert set(TEXTS) <= set(column(db, LIVE.replace("key", "content")))
    with opened(old.with_name("memories.schema-3.db")) as kept:
        assert kept.pragma("user_version") == 3
        assert set(TEXTS) <= set(column(kept, LIVE.replace("key", "content")))
    as_it_was = SqliteStore(old.with_name("memories.schema-3.db"))
    await as_it_was.generation()  # which migrates it
    assert await as_it_was.verify() == []
    await as_it_was.close()
