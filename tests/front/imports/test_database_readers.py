"""The readers of mcp-memory-service, Chroma and MemPalace, on rows that are odd: each costs itself alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers import chroma, mcp_memory_service, mempalace, values
from memory_mcp.imports.peers.database import opened
from tests.fakes.peers import MemoryService
from tests.fakes.vector_peers import Chroma, knowledge_graph

REPLACED = "caf\N{REPLACEMENT CHARACTER}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[MemoryService]:
    """Make a database of mcp-memory-service."""
    made = MemoryService(tmp_path / "sqlite_vec.db")
    yield made
    made.close()


def split(items: Iterator[PeerItem]) -> tuple[dict[str, PeerRecord], list[Remark]]:
    """Return the records by their ids there, and what was said."""
    every = list(items)
    records = {item.source_id: item for item in every if isinstance(item, PeerRecord)}
    return records, [item for item in every if isinstance(item, Remark)]


def read(service: MemoryService) -> tuple[dict[str, PeerRecord], list[Remark]]:
    """Read it while it is in use."""
    return split(mcp_memory_service.read(Source(service.path)))


def test_rows_that_replace_each_other_are_taken(service: MemoryService) -> None:
    """A circle has no newest version: each of it is a memory, and so is what leads into it."""
    for name, successor in ("one", "two"), ("two", "one"), ("self", "self"), ("before", "one"):
        service.add(name, f"Text {name}", superseded_by=successor)
    records, said = read(service)
    assert records.keys() == {"one", "two", "self", "before"}
    assert {record.state for record in records.values()} == {"live"}
    assert {remark.source_id for remark in said if remark.what == mcp_memory_service.CIRCLE} == records.keys()


def test_what_was_deleted_is_no_history(service: MemoryService) -> None:
    """Replaced first and deleted then: it counts as deleted, and its own earlier versions stay with the newest."""
    service.add("old", "Likes tea", superseded_by="wrong")
    service.add("wrong", "Likes petrol", superseded_by="new", deleted_at=1.7e9)
    service.add("new", "Likes coffee")
    records, _ = read(service)
    assert {name: record.state for name, record in records.items()} == {"wrong": "deleted", "new": "live"}
    assert [was.content for was in records["new"].versions] == ["Likes tea"]


def test_versions_stay_with_one_whose_newest_is_gone(service: MemoryService) -> None:
    """It is the newest that there is."""
    service.add("old", "Likes tea", superseded_by="mid")
    service.add("mid", "Likes green tea", superseded_by="purged")
    records, said = read(service)
    assert Remark("guessed", mcp_memory_service.SUCCESSOR_GONE, "mid") in said
    assert ([was.content for was in records["mid"].versions], records["mid"].state) == (["Likes tea"], "deleted")


@pytest.mark.parametrize("column", ["store", "superseded_by", "created_at_iso", "tags", "deleted_at", "created_at"])
def test_bytes_in_any_column_cost_their_own_row(service: MemoryService, column: str) -> None:
    """They are replaced, and that is said."""
    service.add("odd", "Odd", **{column: b"caf\xe9"})
    service.add("plain", "Plain")
    records, said = read(service)
    assert records.keys() == {"odd", "plain"}
    assert Remark("lost", values.REPLACED, "odd") in said


def test_the_time_of_the_file_is_no_date(service: MemoryService) -> None:
    """So a file that is touched later is no difference."""
    service.add("timeless", "No time", created_at=None, updated_at=None)
    service.add("dated", "A time")
    os.utime(service.path, (1.6e9, 1.6e9))
    records, said = read(service)
    assert (records["timeless"].is_dated, records["dated"].is_dated) == (False, True)
    assert records["timeless"].created_at == datetime.fromtimestamp(1.6e9, UTC)
    assert Remark("guessed", values.NO_TIME, "timeless") in said


def test_what_is_lost_is_announced(service: MemoryService) -> None:
    """Columns, tags and links that nothing is made of."""
    service.add("one", "One", tags="home,conflict:unresolved")
    with sqlite3.connect(service.path) as db:
        db.execute("CREATE TABLE memory_graph (source_hash TEXT, target_hash TEXT)")
    records, said = read(service)
    assert records["one"].tags == ("home",)
    assert Remark("lost", mcp_memory_service.NO_CONFLICT, "one") in said
    assert Remark("lost", "of memories, these columns are not taken: parent_id, version") in said
    assert mcp_memory_service.NO_GRAPH not in said
    with sqlite3.connect(service.path) as db:
        db.execute("INSERT INTO memory_graph VALUES ('one', 'one')")
    db.close()
    assert mcp_memory_service.NO_GRAPH in read(service)[1]


def test_a_document_without_a_time_has_the_files(tmp_path: Path) -> None:
    """In Chroma, and in a palace; one that is no time costs nobody else."""
    made = Chroma(tmp_path / "chroma.sqlite3")
    made.add(mempalace.DRAWERS, "odd", "garbage", "Odd", note=b"caf\xe9")
    made.add(mempalace.DRAWERS, "plain", "2024-03-01 00:00:05", "Plain")
    for read_peer in chroma.read, mempalace.read:
        os.utime(made.path, (1.6e9, 1.6e9))
        records, said = split(read_peer(Source(made.path)))
        assert (records["odd"].created_at, records["odd"].is_dated) == (datetime.fromtimestamp(1.6e9, UTC), False)
        assert (records["plain"].created_at, records["plain"].is_dated) == (
            datetime(2024, 3, 1, 0, 0, 5, tzinfo=UTC),
            True,
        )
        assert records["odd"].metadata == {"note": REPLACED}
        assert {Remark("lost", values.REPLACED, "odd"), Remark("guessed", values.NO_TIME, "odd")} <= set(said)
    made.close()


def test_a_fact_that_is_not_utf8_costs_itself(tmp_path: Path) -> None:
    """The others come as they are."""
    path = tmp_path / "knowledge_graph.sqlite3"
    knowledge_graph(
        path,
        ("t1", "Mari", "works_at", "Cafe", None, None, "2024-01-15 08:00:00"),
        ("t2", "Bo", "likes", "Tea", None, None, "never"),
    )
    with sqlite3.connect(path) as db:
        db.execute("UPDATE triples SET predicate = CAST(x'636166e9' AS TEXT) WHERE id = 't1'")
    db.close()
    records, said = split(mempalace.read(Source(path)))
    assert [record.content for record in records.values()] == [f"Mari {REPLACED} Cafe", "Bo likes Tea"]
    assert (records["t1"].is_dated, records["t2"].is_dated) == (True, False)
    assert Remark("lost", values.REPLACED, "t1") in said


def test_each_failure_has_its_own_advice(tmp_path: Path) -> None:
    """Tables that are not known, a schema that is not understood, a file that is none, one in use."""
    path = tmp_path / "some.db"
    apsw.Connection(str(path)).execute("CREATE TABLE memories (content_hash, content); BEGIN; COMMIT")
    with pytest.raises(UnreadableError, match=r"tables that are not read \(.*report it"), opened(path) as db:
        db.execute("SELECT nothing FROM memories")
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnreadableError, match=r"is in use \(.*close the program"), opened(path) as db:
        db.execute("INSERT INTO memories VALUES (1, 2)")
    other.execute("COMMIT; PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = 'CREATE TABLE memories ('")
    other.close()
    with pytest.raises(UnreadableError, match=r"tables that are not read \(.*report it"), opened(path) as db:
        db.execute("SELECT content FROM memories")
    (tmp_path / "none.db").write_bytes(b"no database" * 1000)
    intact = r"no intact SQLite database .*restore a backup"
    with pytest.raises(UnreadableError, match=intact), opened(tmp_path / "none.db") as db:
        db.execute("SELECT 1 FROM memories")


@pytest.mark.parametrize("content", ['{"memories": [{"content": "Its export"}]}', ""])
def test_an_export_is_no_damaged_database(tmp_path: Path, content: str) -> None:
    """The advice names the file to give."""
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(UnreadableError, match=r"name its sqlite_vec\.db, not its export"):
        split(mcp_memory_service.read(Source(tmp_path / "export.json")))


def test_facts_of_another_version_are_refused(tmp_path: Path) -> None:
    """With a sentence that names the file to give."""
    with sqlite3.connect(tmp_path / "knowledge_graph.sqlite3") as db:
        db.execute("CREATE TABLE triples (id TEXT, fact TEXT)")
    db.close()
    with pytest.raises(UnreadableError, match="no facts of MemPalace 3"):
        split(mempalace.read(Source(tmp_path / "knowledge_graph.sqlite3")))
