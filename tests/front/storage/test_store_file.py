"""Whose file it is, who may read it, and what makes it last."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition
from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.db.schema import APPLICATION_ID, migrations
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, listed, put, towards
from tests.front.storage.audit import audit, changes, opened
from tests.front.storage.conftest import Start

UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Embedded, NewMemory
from memory_mcp.storage.sqlite.db.file import vec0_path
from memory_mcp.storage.sqlite.store import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    try:
        await store.add([(NewMemory("text", "here"), Embedded((), None))])
        print("stored")
    except StoreError as error:
        print(error)
    await store.close()

vec0_path()
if os.geteuid() == 0:  # whom no permission stops
    os.setuid(65534)
asyncio.run(main())
"""
IMPORTS = """
import asyncio, sys
from pathlib import Path
from memory_mcp.domain.models import Filters
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import put, near, towards

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await put(store, "text", towards(0))
    print(await near(store), "numpy" in sys.modules, "sqlite_vec" in sys.modules)
    await store.close()

asyncio.run(main())
"""


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def _refusal(path: Path) -> str:
    """Return why the store will neither read nor write, the same sentence for both."""
    store: Store = SqliteStore(path)
    with pytest.raises(StoreError) as reading:
        await store.read(lambda it: it.page(HERE, limit=1, cursor=None))
    with pytest.raises(StoreError) as writing:
        await put(store, "text", towards(0))
    assert (await store.findings(None))["store"].condition is Condition.FAILED
    await store.close()
    assert str(reading.value) == str(writing.value)
    return str(reading.value)


async def test_nothing_is_made_before_the_first_call(path: Path) -> None:
    """A store that is only built touches no disk."""
    store = SqliteStore(path)
    await store.close()
    assert not path.parent.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022])
async def test_only_the_user_may_read(path: Path, umask: int) -> None:
    """The folder is made 0700, the file and SQLite's side files 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        store = SqliteStore(path)
        await put(store, "secret")
        sides = {name: _mode(path.with_name(path.name + name)) for name in ("", "-wal", "-shm")}
        await store.close()
    finally:
        os.umask(before)
    assert sides == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
    assert _mode(path.parent) == 0o700


async def test_both_connections_are_durable(store: SqliteStore) -> None:
    """Reader and writer use a write-ahead log, sync at every commit and check references."""
    for ask in (store._database.read, store._database.write):
        assert await ask(lambda db: db.pragma("journal_mode")) == "wal"
        assert await ask(lambda db: db.pragma("synchronous")) == 2
        assert await ask(lambda db: db.pragma("foreign_keys")) == 1
        if sys.platform == "darwin":
            assert await ask(lambda db: (db.pragma("fullfsync"), db.pragma("checkpoint_fullfsync"))) == (1, 1)


async def test_a_new_store_has_a_map_of_its_pages(store: SqliteStore) -> None:
    """SQLite finds a vector in a chunk of them without reading those before it; the setting is the file's for good."""
    assert await store._database.read(lambda db: db.pragma("auto_vacuum")) == 2


async def test_a_store_opens_again_with_all_it_held(path: Path) -> None:
    """What was stored is there for the next process, and the schema is not made twice."""
    first = SqliteStore(path)
    await put(first, "one", towards(0))
    await first.close()
    second = SqliteStore(path)
    assert await listed(second) == ["one"]
    await put(second, "two", towards(1))
    await second.close()
    audit(path)
    assert len(changes(path)) == 2


@pytest.mark.parametrize("content", [b"", None])
async def test_an_empty_file_becomes_a_store(path: Path, content: bytes | None) -> None:
    """A file of no bytes, or an empty database of nobody, is taken."""
    path.parent.mkdir()
    path.write_bytes(content or b"")
    if content is None:
        with opened(path) as db:
            db.execute("VACUUM")
    store = SqliteStore(path)
    await put(store, "text")
    await store.close()
    with opened(path) as db:
        assert (db.pragma("application_id"), db.pragma("user_version")) == (APPLICATION_ID, len(migrations()))
    audit(path)


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A file of a newer version is not touched, and the sentence says to upgrade."""
    store = SqliteStore(path)
    await put(store, "text")
    await store.close()
    with opened(path) as db:
        db.pragma("user_version", len(migrations()) + 1)
    before = path.read_bytes()
    refusal = await _refusal(path)
    assert str(path) in refusal
    assert "newer" in refusal
    assert "upgrade" in refusal
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("sql", ["CREATE TABLE memories (id)", "CREATE TABLE t (x); PRAGMA user_version = 1"])
async def test_another_programs_database_is_refused(path: Path, journal: str, sql: str) -> None:
    """A database that is not ours is not touched, and the sentence names the setting to change."""
    path.parent.mkdir()
    with opened(path) as db:
        db.pragma("journal_mode", journal)
        db.execute(sql)
    before = path.read_bytes()
    refusal = await _refusal(path)
    assert str(path) in refusal
    assert "another program" in refusal
    assert "MCP_MEMORY_SQLITE_PATH" in refusal
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


async def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A path that is a folder, or lies under a file, is refused by name."""
    assert str(tmp_path) in await _refusal(tmp_path)
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert str(file / "memories.db") in await _refusal(file / "memories.db")


@pytest.mark.parametrize(("of_folder", "of_file"), [(0o555, None), (0o555, 0o444), (0o755, 0o444), (0o755, 0o000)])
async def test_what_may_not_be_written_is_refused(
    tmp_path_factory: pytest.TempPathFactory, start: Start, of_folder: int, of_file: int | None
) -> None:
    """Without the permission to write, a store fails with a sentence that names the file and the fix."""
    folder = Path("/tmp") / f"memory-mcp-{os.getpid()}-{of_folder:o}-{of_file}"  # noqa: S108 - a path that all may reach
    folder.mkdir(mode=0o755)
    path = folder / "memories.db"
    try:
        if of_file is not None:
            store = SqliteStore(path)
            await put(store, "text")
            await store.close()
            path.chmod(of_file)
        folder.chmod(of_folder)
        before = path.read_bytes() if of_file else b""
        said, _ = start(UNPRIVILEGED, path).communicate()
        assert str(path) in said
        assert "writable" in said or "permissions" in said
        assert not of_file or path.read_bytes() == before
    finally:
        folder.chmod(0o755)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


async def test_vectors_cost_no_numpy(path: Path, start: Start) -> None:
    """sqlite-vec is loaded without its Python package, which would import numpy."""
    said, _ = start(IMPORTS, path).communicate()
    assert said.split("] ") == ["['text'", "False False\n"]
