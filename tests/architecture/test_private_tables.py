"""The tables that sqlite-vec and FTS5 keep to themselves and we read: each test fails when an upgrade changes one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

import memory_mcp
from memory_mcp.storage.sqlite.lexical import private as fts5
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.storage.sqlite.vectors import private as sqlite_vec
from tests.contracts.shelf import DIMENSIONS, HERE, put, towards
from tests.front.storage.audit import opened

ROOT = Path(memory_mcp.__file__).parent
VECTORS, LEXICAL = "storage/sqlite/vectors/private.py", "storage/sqlite/lexical/private.py"
OF_SQLITE_VEC = re.compile(r"vectors_(?:\d+|\{[\w:]+\})_\w+|\bpartition\d\d\b|\bvalidity\b|\bchunk_(?:id|offset)\b")
OF_FTS5 = re.compile(r"\bkeywords_(?:data|idx|content|docsize|config)\b")
SPACE = 1
"""The number of the first space of a store."""


def private_names(pattern: re.Pattern[str]) -> dict[str, set[str]]:
    """Return which of the names the files of the front hold, in code, SQL and comments."""
    files = [path for kind in ("*.py", "*.sql") for path in ROOT.rglob(kind)]
    found = {path: set(pattern.findall(path.read_text(encoding="utf-8"))) for path in files}
    return {path.relative_to(ROOT).as_posix(): names for path, names in found.items() if names}


def test_sqlite_vecs_tables_stand_in_one_module() -> None:
    """Nothing else of the front names one of its tables or columns, and this module only those tested here."""
    tables = {"vectors_{number:d}_rowids", "vectors_{number:d}_chunks", "vectors_{number:d}_vector_chunks00"}
    assert private_names(OF_SQLITE_VEC) == {VECTORS: tables | {"partition00", "validity", "chunk_id", "chunk_offset"}}


def test_fts5s_tables_stand_in_one_module() -> None:
    """Likewise."""
    assert private_names(OF_FTS5) == {LEXICAL: {"keywords_content", "keywords_docsize"}}


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[apsw.Connection]:
    """Open the file of a store: two memories "here", of which another one was deleted between, and one "there"."""
    store = SqliteStore(tmp_path / "memories.db")
    await put(store, "a lamp", towards(0))
    gone = await put(store, "a table", towards(10))
    await put(store, "a chair", towards(20))
    await put(store, "a lamp and a lamp", towards(30), namespace="there")
    await store.delete([gone.id], HERE, dry_run=False)
    await store.close()
    with opened(tmp_path / "memories.db") as connection:
        yield connection


def rows(db: apsw.Connection, table: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    """Return all of a table, in order."""
    return db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - constants of the modules


def test_vectors_are_read_by_chunk_and_slot(db: apsw.Connection) -> None:
    """`_rowids` says where a vector lies, `_vector_chunks00.vectors` holds it: exactly those that were stored."""
    found = sqlite_vec.read(db, SPACE, DIMENSIONS, [1, 2, 3, 4, 99])
    assert found == {1: towards(0), 3: towards(20), 4: towards(30)}


def test_bits_say_which_slots_of_a_namespace_are_in_use(db: apsw.Connection) -> None:
    """`_chunks`: `partition00` is the namespace, `validity` its slots in use, `rowids` the passages in them."""
    [(chunk, bits)] = sqlite_vec.slots_in_use(db, SPACE, "here").items()
    assert bits == 0b101
    passages = sqlite_vec.passages_of(db, SPACE, chunk)
    assert [passages[slot] for slot in (0, 2)] == [1, 3]
    assert [bits.bit_count() for bits in sqlite_vec.slots_in_use(db, SPACE, "there").values()] == [1]


def test_a_space_is_read_chunk_by_chunk(db: apsw.Connection) -> None:
    """A row has the bits, the passages, the namespace's number and the vectors, each where its slot says."""
    here, there = sorted(sqlite_vec.chunk_rows(db, SPACE), key=lambda row: row[2])
    assert [int.from_bytes(row[0], "little") for row in (here, there)] == [0b101, 0b1]
    assert [memoryview(row[1]).cast("q")[0] for row in (here, there)] == [1, 4]
    size = len(towards(0))
    assert here[3][2 * size : 3 * size] == towards(20)
    assert there[3][:size] == towards(30)


def test_what_is_filed_is_told_from_what_is_held(db: apsw.Connection) -> None:
    """Both name the passages of the vectors; without its chunk a vector is filed and not held."""
    located, held = sqlite_vec.located_sql(SPACE), sqlite_vec.held_sql(SPACE)
    assert rows(db, located) == [(1,), (3,), (4,)]
    assert rows(db, held) == [(1, "here"), (3, "here"), (4, "there")]
    db.execute("DELETE FROM vectors_1_vector_chunks00 WHERE rowid = 1")
    assert rows(db, held) == [(4, "there")]
    assert rows(db, located) == [(1,), (3,), (4,)]


def test_vectors_whose_slots_say_free_are_counted(db: apsw.Connection) -> None:
    """A search passes over a slot whose bit is not set, whatever lies in it."""
    assert sqlite_vec.count_hidden(db, SPACE) == 0
    db.execute("UPDATE vectors_1_chunks SET validity = zeroblob(length(validity))")
    assert sqlite_vec.count_hidden(db, SPACE) == 3


def test_the_terms_of_a_memory_are_kept(db: apsw.Connection) -> None:
    """`keywords_content`: `id` is the memory's key, `c0` the text that the index was given."""
    found = dict(fts5.terms_of(db, [1, 2, 4]))
    assert found.keys() == {1, 4}
    assert found[1].split() == db.execute("SELECT terms FROM keywords WHERE rowid = 1").get.split()
    assert found[4].count("lamp ") == 2


def test_the_index_lists_what_it_holds(db: apsw.Connection) -> None:
    """`keywords_docsize` has a row for each memory of the index, deleted ones excepted."""
    assert rows(db, fts5.INDEXED_SQL) == [(1,), (3,), (4,)]


@pytest.mark.parametrize("held", [1, 4, 5, 9])
def test_bm25_weighs_a_word_as_we_think(held: int) -> None:
    """In texts of one length, a word that stands once is worth its inverse document frequency, at least the minimum."""
    stored = 10
    db = apsw.Connection(":memory:")
    db.execute("CREATE VIRTUAL TABLE texts USING fts5 (text)")
    db.executemany("INSERT INTO texts VALUES (?)", [("sought" if at < held else "other",) for at in range(stored)])
    scores = [score for (score,) in db.execute("SELECT bm25(texts) FROM texts WHERE texts MATCH 'sought'")]
    assert scores == pytest.approx([-fts5.idf(stored, held)] * held, rel=1e-9)
