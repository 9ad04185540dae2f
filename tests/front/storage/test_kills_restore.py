"""SIGKILL at any moment of a process that restores a backup, while three more write."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import new, put, towards, whole
from tests.front.storage.audit import LIVE, changes, column, opened
from tests.front.storage.conftest import Start
from tests.front.storage.killing import Told, ended, kill_within, let_write, next_line, start_others

KEPT, LATER = 200, 50
RESTORER = """
import asyncio, sys
from itertools import count
from pathlib import Path
from memory_mcp.storage.sqlite.store import SqliteStore

path, backup = map(Path, sys.argv[1:])

async def main():
    store = SqliteStore(path)
    for n in count():
        begun = await store.generation()
        while await store.generation() < begun + 10:
            pass  # until the others have written again
        print("begins", flush=True)
        await store.restore(backup, path.with_name(f"aside-{n}.db"))
        print("restored", flush=True)

asyncio.run(main())
"""


async def _add(store: SqliteStore, prefix: str, count: int) -> None:
    texts = [f"{prefix}{number}" for number in range(count)]
    await store.add([(new(text, id=text), whole(text, towards(number))) for number, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("restores", "seed"),
    [(1, 1), (2, 2), *(pytest.param(1 + seed % 3, seed, marks=pytest.mark.slow) for seed in range(3, 43))],
)
async def test_a_killed_restore_leaves_the_old_store_or_the_new_one(
    path: Path, start: Start, restores: int, seed: int
) -> None:
    """Whatever three writers were told is in a file kept aside or in the store, whole."""
    store = SqliteStore(path)
    await _add(store, "kept", KEPT)
    await store.backup(path.with_name("backup.db"))
    await _add(store, "later", LATER)
    await store.close()
    others = start_others(start, path)
    restorer = start(RESTORER, path, path.with_name("backup.db"))
    let_write(others)
    seconds = 0.0
    for _ in range(restores):
        assert next_line(restorer) == "begins"
        begun = time.monotonic()
        assert next_line(restorer) == "restored"
        seconds = time.monotonic() - begun
    assert next_line(restorer) == "begins"
    kill_within(restorer, seconds, seed)
    acts = {prefix: ended(other) for prefix, other in others.items()}
    assert [other.returncode for other in others.values()] == [0, 0, 0]
    asides = sorted(path.parent.glob("aside-*.db"))
    assert len(asides) - restores in {0, 1, 2}  # the next one was begun, and it may even have been too late to kill it
    for file in (*asides, path):
        assert await _problems(file) == []
    for prefix in others:
        _check_runs([_ids(file, prefix) for file in asides], _ids(path, prefix), acts[prefix])
    assert _ids(asides[0], "later") == sorted(f"later{number}" for number in range(LATER))
    assert _ids(path, "kept") == sorted(f"kept{number}" for number in range(KEPT))
    assert _ids(path, "later") == []
    assert _last(path) > max(map(_last, asides[:restores]))
    await _write_on(path)


def _ids(path: Path, prefix: str) -> list[str]:
    """Return the ids of live memories that begin so, sorted by the numbers that follow."""
    with opened(path) as db:
        found = column(db, LIVE.replace("key", "id"))
    return [memory_id for memory_id in found if memory_id.startswith(prefix)]


def _check_runs(asides: Sequence[Sequence[str]], held: Sequence[str], acts: Told) -> None:
    """Check that one process's memories are in the files in unbroken runs, all that was acknowledged and no more."""
    acknowledged = [memory_id for _, memory_id in acts]
    assert sorted({*held, *(memory_id for aside in asides for memory_id in aside)}) == sorted(acknowledged)
    places = {memory_id: place for place, memory_id in enumerate(acknowledged)}
    for run in (*asides, held):
        at = sorted(places[memory_id] for memory_id in run)
        assert at == list(range(at[0], at[0] + len(at))) if at else True
    assert not held or acknowledged[-1] in held


def _last(path: Path) -> int:
    with opened(path) as db:
        return int(column(db, "SELECT seq FROM changes")[-1])


async def _problems(path: Path) -> list[str]:
    store = SqliteStore(path)
    found = await store.verify()
    await store.close()
    return found


async def _write_on(path: Path) -> None:
    """Check that the next front writes, and that the change log goes on."""
    store = SqliteStore(path)
    await put(store, "after", towards(0), id="after")
    assert changes(path)[-1] == ("store", "after")
    await store.close()


DIES_BEFORE_THE_END = """
import asyncio, os, signal, sys
from pathlib import Path
from memory_mcp.storage.sqlite.maintenance import copies
from memory_mcp.storage.sqlite.store import SqliteStore

path, backup, aside = map(Path, sys.argv[1:])
copies._replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(SqliteStore(path).restore(backup, aside))
"""


async def test_what_a_killed_restore_left_is_cleared_away(path: Path, start: Start) -> None:
    """The copy that it was about to write over the store goes when it is a day old, strangers' files never do."""
    store = SqliteStore(path)
    await put(store, "text", towards(0))
    await store.backup(path.with_name("backup.db"))
    stranger = path.with_name(".notes.partial")
    stranger.touch()
    start(DIES_BEFORE_THE_END, path, path.with_name("backup.db"), path.with_name("aside.db")).wait()
    left = [file for file in path.parent.glob(".*.partial*") if file != stranger]
    assert len(left) == 3  # a database, its log and the log's index
    await store.tidy()
    assert all(file.exists() for file in left)
    for file in (*left, stranger):
        os.utime(file, (0, 0))
    await store.tidy()
    assert list(path.parent.glob(".*")) == [stranger]
    await store.close()


async def test_what_a_killed_backup_left_is_cleared_away_by_the_next(path: Path, tmp_path: Path) -> None:
    """In a folder of backups, where no store is tidied."""
    store = SqliteStore(path)
    await put(store, "text", towards(0))
    left = tmp_path / f".memories-20260302T000000Z-1.db.{'0' * 32}.partial"
    left.touch()
    os.utime(left, (0, 0))
    await store.backup(tmp_path / "copy.db")
    assert not left.exists()
    await store.close()
