"""A folder of Chroma's, by its SQLite file alone. The server is among the tests of services."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.chroma_reader import apply_log
from tests.front.sources.chroma_file import add, opened
from tests.front.sources.conftest import Make


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    """Make a folder like Chroma's; what is added to it stays in the write-ahead log."""
    made = opened(tmp_path)
    add(
        made,
        1,
        "m1",
        "The boat lies in the harbour.",
        title="Harbour",
        url="https://x.test/1",
        created_at=1_777_777_777,
    )
    made.execute("PRAGMA journal_mode = wal")
    made.execute("PRAGMA wal_autocheckpoint = 0")
    add(made, 2, "m1", "Assam tea in the morning.")
    add(made, 3, "m2", "東京オフィスの鍵は受付で受け取る。")
    add(made, 4, "m2", None)
    return made


async def test_documents_are_found_by_their_words(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """In any language, those in the write-ahead log as well, with what their metadata says."""
    source = make(kind="chroma", path=str(tmp_path))
    (boat,) = (await source.ask(SourceQuery("Where are the boats?", 3))).items
    assert (boat.text, boat.title, boat.uri) == ("The boat lies in the harbour.", "Harbour", "https://x.test/1")
    assert boat.at == datetime.fromtimestamp(1_777_777_777, UTC)
    (tea,) = (await source.ask(SourceQuery("tea", 3))).items
    assert (tea.title, tea.uri, tea.at) == ("doc2", "chroma:notes/doc2", datetime(2026, 5, 3, 10, tzinfo=UTC))
    (key,) = (await source.ask(SourceQuery("鍵は受付", 3))).items
    assert key.uri == "chroma:others/doc3"
    assert len((await source.ask(SourceQuery("", 9))).items) == 3
    assert "by words" in source.adapter.note


async def test_a_folder_is_left_as_it_was(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """Nothing is written, not even the log is put away."""
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    await make(kind="chroma", path=str(tmp_path), collections="notes").ask(SourceQuery("tea", 3))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_a_change_of_the_folder_is_seen(
    make: Make, tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept answer and the index go."""
    monkeypatch.setattr("memory_mcp.sources.chroma_folder.RESTING", 0)
    source = make(kind="chroma", path=str(tmp_path))
    assert (await source.ask(SourceQuery("kettle", 3))).items == ()
    add(database, 5, "m1", "The kettle is on the shelf.")
    assert len((await source.ask(SourceQuery("kettle", 3))).items) == 1


async def test_an_old_index_answers_for_what_it_holds(
    make: Make, tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of a changed folder, while it rests, is not kept for what the folder holds now."""
    monkeypatch.setattr("memory_mcp.sources.chroma_folder.RESTING", 1_000_000)
    source = make(kind="chroma", path=str(tmp_path))
    assert (await source.ask(SourceQuery("tea", 3))).items
    add(database, 5, "m1", "The kettle is on the shelf.")
    assert (await source.ask(SourceQuery("kettle", 3))).items == ()
    monkeypatch.setattr(source.adapter, "_rested_at", 0.0)
    assert len((await source.ask(SourceQuery("kettle", 3))).items) == 1


async def test_only_the_wanted_collections_are_read(make: Make, tmp_path: Path, database: sqlite3.Connection) -> None:
    """One that is not there is named."""
    source = make(kind="chroma", path=str(tmp_path), collections=["others"])
    assert len((await source.ask(SourceQuery("", 9))).items) == 1
    with pytest.raises(SourceError, match="no collection 'nothing'"):
        await make(kind="chroma", path=str(tmp_path), collections=["nothing"]).ask(SourceQuery("tea", 9))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "there is no "),
        (b"no database at all", "not a SQLite file"),
        (b"SQLite format 3\0" + b"\xff" * 5_000, "damaged"),
    ],
)
async def test_a_file_that_is_none_costs_its_own_part(make: Make, tmp_path: Path, content: bytes, cause: str) -> None:
    """It is read in the sandbox, and its trouble is told."""
    (tmp_path / "chroma.sqlite3").write_bytes(content)
    with pytest.raises(SourceError, match=cause) as failed:
        await make(kind="chroma", path=str(tmp_path)).ask(SourceQuery("tea", 3))
    assert failed.value.fix


async def test_a_database_of_another_program_is_refused(make: Make, tmp_path: Path) -> None:
    """By its tables."""
    sqlite3.connect(tmp_path / "chroma.sqlite3").execute("CREATE TABLE x(y)")
    with pytest.raises(SourceError, match="not those of Chroma"):
        await make(kind="chroma", path=str(tmp_path)).ask(SourceQuery("tea", 3))


async def test_an_index_is_made_once_for_callers_who_give_up(
    make: Make, tmp_path: Path, database: sqlite3.Connection
) -> None:
    """A large folder takes longer than a caller waits; the next one finds it read."""
    source = make(kind="chroma", path=str(tmp_path))
    asking = asyncio.create_task(source.ask(SourceQuery("tea", 3)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len((await source.ask(SourceQuery("tea", 3))).items) == 1


def test_a_log_is_applied_as_sqlite_does(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Up to its last whole transaction: the same rows, also where the log was cut or damaged."""
    file, log = (Path(f"{tmp_path}/chroma.sqlite3{end}").read_bytes() for end in ("", "-wal"))
    for number, kept in enumerate([log, log[: len(log) - 4_000], log[:40], b"", log[:5_000] + b"?" + log[5_001:]]):
        ours = bytearray(file)
        apply_log(ours, kept)
        ours[18:20] = b"\1\1"
        copies = [tmp_path / f"{number}{name}" for name in ("ours.db", "theirs.db")]
        copies[0].write_bytes(ours)
        copies[1].write_bytes(file)
        Path(f"{copies[1]}-wal").write_bytes(kept)
        dumps = [list(sqlite3.connect(copy).iterdump()) for copy in copies]
        assert dumps[0] == dumps[1]
