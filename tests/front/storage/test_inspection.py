"""What doctor sees in a file, without a trace in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from memory_mcp.domain.models import Condition, Written
from memory_mcp.storage.sqlite.maintenance import inspection
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import SPACE, after_a_crash, new, put, towards, whole
from tests.fakes.clock import FakeClock
from tests.fakes.shelves import EPOCH

SECONDS = 20.0


def _nothing() -> None:
    """Say that there is no backup."""


async def test_a_store_too_large_for_the_time_is_said_to_be_so(path: Path, store: SqliteStore) -> None:
    """It is no fault; with time it is verified."""
    texts = [f"memory number {number}" for number in range(200)]
    await store.add([(new(text), whole(text, towards(number))) for number, text in enumerate(texts)])
    seen = inspection.verify(path, _nothing, 0.0)
    assert (seen.condition, "memory-mcp doctor --whole" in seen.detail) == (Condition.SKIPPED, True)
    seen = inspection.verify(path, _nothing, SECONDS)
    assert seen.condition is Condition.OK


async def test_what_a_killed_front_left_is_read_and_left(path: Path, store: SqliteStore) -> None:
    """What is only in the write-ahead log counts, and every file is as before."""
    await put(store, "kept", towards(0))
    crashed = (await after_a_crash(store)).path
    files = [crashed, Path(f"{crashed}-wal")]
    before = [file.read_bytes() for file in files]
    assert len(before[1]) > 0
    for seen in (
        inspection.look(crashed, _nothing, SECONDS),
        inspection.verify(crashed, _nothing, SECONDS),
        inspection.lock(crashed, SECONDS),
        inspection.queue(crashed, SECONDS),
    ):
        assert seen.condition is Condition.OK
    assert inspection.space(crashed, SECONDS) == SPACE
    written = inspection.written(crashed, SECONDS)
    assert written is not None
    assert written.generation == 1
    assert [file.read_bytes() for file in files] == before


async def test_a_pruned_log_still_tells_when_the_store_was_first_written(path: Path) -> None:
    """A store of years is not taken for a new one, which needs no backup yet."""
    clock = FakeClock()
    store = SqliteStore(path, clock)
    for day in range(6):
        clock.now = day * 86_400.0
        await put(store, f"text {day}")
        await store.prune_changes(EPOCH + timedelta(days=day))
    assert inspection.written(path, SECONDS) == Written(6, EPOCH)
    await store.close()


@pytest.mark.parametrize("suffix", ["-wal", "-signs"])
def test_what_lies_beside_a_store_that_is_gone_tells_of_it(tmp_path: Path, suffix: str) -> None:
    """A store was there, and there is no backup either; where nothing is, nothing is missed."""
    path = tmp_path / "memory.db"
    assert inspection.look(path, _nothing, SECONDS).condition is Condition.SKIPPED
    Path(f"{path}{suffix}").touch()
    seen = inspection.look(path, _nothing, SECONDS)
    assert (seen.condition, f"memory.db{suffix}" in seen.cause) == (Condition.FAILED, True)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder in the store's place is no file to write to."""
    seen = inspection.lock(tmp_path, SECONDS)
    assert (seen.condition, seen.state) == (Condition.FAILED, "not writable")


@pytest.mark.parametrize(
    ("texts", "model", "state"),
    [
        (["Der Schlüssel liegt unter der Matte.", "Marta ist gegen Nüsse allergisch."], "all-MiniLM-L6-v2", "other"),
        (["鍵は机の引き出しの中にある。", "図書館は八時に閉まる。"], "all-MiniLM-L6-v2", "other"),
        (["Der Schlüssel liegt unter der Matte.", "The key is under the mat.", "ok"], "all-MiniLM-L6-v2", "fitting"),
        (["Der Schlüssel liegt unter der Matte."], "multilingual-e5-small", "fitting"),
    ],
)
async def test_a_model_that_reads_the_languages_of_the_store_is_named(
    texts: list[str], model: str, state: str, path: Path, store: SqliteStore
) -> None:
    """Where most of the newest memories are not English and the model is; it is advice, and no fault."""
    space = replace(SPACE, id=f"{model}-0123456789abcdef")
    for number, text in enumerate(texts):
        await store.add([(new(text), whole(text, towards(number), space=space))])
    found = inspection.languages(path, SECONDS)
    assert (found.condition, found.state.split()[0]) == (Condition.OK, state)
    assert ("daemon install --model multilingual" in found.fix) is (state == "other")


async def test_a_store_without_memories_asks_for_no_model(path: Path, store: SqliteStore) -> None:
    """Nothing was stored, or nothing has a vector yet."""
    await put(store, "Der Schlüssel liegt unter der Matte.")
    assert inspection.languages(path, SECONDS).fix == ""
