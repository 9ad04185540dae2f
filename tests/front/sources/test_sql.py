"""The kind `sql` on SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.sql import numbered
from tests.fakes.clock import until
from tests.front.sources.conftest import Make, configured

STATEMENT = """
    SELECT body AS text, name AS title, 'note:' || id AS uri, day AS time, id AS score, 'x' AS other
    FROM notes WHERE body LIKE '%' || :query || '%' ORDER BY id LIMIT :limit
"""
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) AS text FROM n WHERE :query <> ''"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make a database with a few notes, in its write-ahead log."""
    path = tmp_path / "notes.db"
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, name TEXT, body TEXT, day TEXT)")
    for number in range(5):
        row = (number, f"Boat {number}", f"the boat number {number}", f"2026-05-0{number + 1}")
        connection.execute("INSERT INTO notes VALUES (?, ?, ?, ?)", row)
    return path


async def test_rows_become_items(make: Make, database: Path) -> None:
    """By the names of the columns; the others are left out."""
    answer = await make(kind="sql", path=str(database), statement=STATEMENT).ask(SourceQuery("boat", 3))
    assert [(item.text, item.title, item.uri, item.score) for item in answer.items] == [
        (f"the boat number {number}", f"Boat {number}", f"note:{number}", float(number)) for number in range(3)
    ]
    assert answer.items[0].at == datetime(2026, 5, 1, tzinfo=UTC)


async def test_a_change_of_the_file_ends_what_was_kept(make: Make, database: Path) -> None:
    """A repeated question comes from the cache, until then."""
    source = make(kind="sql", path=str(database), statement=STATEMENT)
    query = SourceQuery("boat", 9)
    assert [(await source.ask(query)).is_cached for _ in range(2)] == [False, True]
    apsw.Connection(str(database)).execute("INSERT INTO notes VALUES (9, 'Boat 9', 'the boat number 9', '')")
    answer = await source.ask(query)
    assert not answer.is_cached
    assert len(answer.items) == 6


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM notes WHERE :query = ''", "that reads"),
        ("SELECT 1 AS text WHERE :query = ''; DROP TABLE notes", "one statement"),
        ("SELECT body AS text FROM notes", ":query"),
        ("/* SELECT */ DROP TABLE notes -- :limit", ":query"),
    ],
)
def test_a_statement_that_writes_is_refused(database: Path, statement: str, problem: str) -> None:
    """As soon as its section is read."""
    broken = configured({"notes": {"kind": "sql", "path": str(database), "statement": statement}}).examined()[1]
    assert problem in broken[0].problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://reader:${env:PASSWORD}@db.test:5432/crm?sslmode=require", "postgresql://db.test:5432/crm"),
        ("postgresql://reader:p%40ss@[::1]:5432/crm", "postgresql://[::1]:5432/crm"),
        ("postgresql://reader:p@ss@one.test,two.test:1/crm", "postgresql://one.test,two.test:1/crm"),
        ("postgres://${env:HOST}:${env:PORT}/crm", "postgresql://***:***/crm"),
        ("${env:URL}", "postgresql://…"),
        ("postgresql://[bad/x", ""),
        ("postgresql://reader:zq/xk@db.test/crm", ""),
        ("postgresql://reader:zq#xk@db.test/crm", ""),
        ("postgresql://reader:98?76@db.test/crm", ""),
        ("postgresql://reader:zq xk/crm", ""),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """One in which it cannot be told from the rest costs its own section, and is not repeated."""
    sources = configured({"crm": {"kind": "sql", "url": url, "statement": "SELECT :query AS text"}})
    right, broken = sources.examined()
    assert [source.adapter.target for source in right] == [shown] * bool(shown)
    assert not any(secret in each.problem for each in broken for secret in ("zq", "xk", "98", "76", "[bad"))


@pytest.mark.parametrize(
    "statement",
    [
        "WITH gone AS (SELECT 1) DELETE FROM notes WHERE :query <> ''",
        "SELECT load_extension(:query) AS text",
        "SELECT name AS text FROM pragma_writable_schema WHERE :query <> ''",
    ],
)
async def test_what_looks_like_reading_cannot_write(make: Make, database: Path, statement: str) -> None:
    """SQLite itself refuses it."""
    with pytest.raises(SourceError):
        await make(kind="sql", path=str(database), statement=statement).ask(SourceQuery("boat", 3))
    assert apsw.Connection(str(database)).execute("SELECT count(*) FROM notes").fetchone() == (5,)


async def test_an_endless_statement_is_given_up(make: Make, database: Path) -> None:
    """By the source's own deadline, and by the caller's; the work ends as well."""
    before = threads()
    source = make(kind="sql", path=str(database), statement=ENDLESS, timeout_ms=100)
    with pytest.raises(SourceError, match="within 100 ms"):
        await source.ask(SourceQuery("boat", 3))
    asking = asyncio.create_task(source.ask(SourceQuery("tea", 3)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: threads() == before)


def threads() -> int:
    """Count the threads, but asyncio's own."""
    return sum(not each.name.startswith("asyncio_") for each in threading.enumerate())


async def test_rows_are_bounded(make: Make, database: Path) -> None:
    """Many rows are not read, and a huge one is refused or cut."""
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS text FROM n WHERE :query <> ''"
    answer = await make(kind="sql", path=str(database), statement=many).ask(SourceQuery("boat", 3))
    assert [item.text for item in answer.items] == ["1", "2", "3"]
    huge = "SELECT printf('%.*c', 50000000, 'x') AS text WHERE :query <> ''"
    with pytest.raises(SourceError, match="too big"):
        await make(kind="sql", path=str(database), statement=huge).ask(SourceQuery("boat", 3))


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """Make a database in WAL mode with a full-text index, which nobody has open."""
    path = tmp_path / "folder" / "indexed.db"
    path.parent.mkdir()
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.execute("CREATE VIRTUAL TABLE notes USING fts5(body)")
        connection.execute("INSERT INTO notes VALUES ('what is new in the harbour')")
    return path


async def test_a_full_text_index_is_asked(make: Make, indexed: Path) -> None:
    """A question that is no query of it is refused without opening the breaker, and not repeated; quotes help."""
    bare = "SELECT body AS text FROM notes WHERE notes MATCH :query LIMIT :limit"
    source = make(kind="sql", path=str(indexed), statement=bare)
    assert len((await source.ask(SourceQuery("harbour", 3))).items) == 1
    for question in ("what's new?", 'so "called', "secret-word", "a AND", "x:y"):
        with pytest.raises(SourceError, match="no query of its full-text index") as failed:
            await source.ask(SourceQuery(question, 3))
        assert "replace(:query" in failed.value.fix
    assert source.state == "closed"
    quoted = bare.replace(":query", """'"' || replace(:query, '"', '""') || '"'""")
    answer = await make(kind="sql", path=str(indexed), statement=quoted).ask(SourceQuery("new in?", 3))
    assert len(answer.items) == 1


async def test_the_folder_of_a_file_is_left_as_it_was(make: Make, indexed: Path) -> None:
    """No log and no index of one stays beside a database in WAL mode."""
    statement = "SELECT body AS text FROM notes WHERE body LIKE '%' || :query || '%'"
    await make(kind="sql", path=str(indexed), statement=statement).ask(SourceQuery("new", 3))
    assert [path.name for path in indexed.parent.iterdir()] == ["indexed.db"]


async def test_a_missing_file_is_named(make: Make, tmp_path: Path) -> None:
    """And not made."""
    path = tmp_path / "none.db"
    with pytest.raises(SourceError, match="there is no file"):
        await make(kind="sql", path=str(path), statement=STATEMENT).ask(SourceQuery("boat", 3))
    assert not path.exists()


@given(st.lists(st.sampled_from(["a::int", "':query'", '":limit"', "-- :query\n", "/* :limit */", "$$:query$$", "x"])))
def test_only_parameters_are_numbered(pieces: list[str]) -> None:
    """Casts, texts, names and comments stay as they are."""
    kept = " ".join(pieces)
    assert numbered(f"{kept} :limit {kept} :query :limit") == (f"{kept} $1 {kept} $2 $1", ["limit", "query"])
