"""Encrypted stores: what can be read of their files, and what conversions leave to those who have them open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from memory_mcp.domain.errors import LockedError, SettingsError, StoreError
from memory_mcp.storage.keys import KeyPlace, RememberedKeys
from memory_mcp.storage.sqlite.db import encryption
from memory_mcp.storage.sqlite.db.file import Patience, connect
from memory_mcp.storage.sqlite.db.schema import migrations
from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import listed, put, towards
from tests.front.storage.conftest import Start
from tests.front.storage.killing import ended, go, kill_within, next_line
from tests.front.storage.test_large import entry, found, vectors

MARKER = "the zebra in the wardrobe"
KEPT = "kept behind the wardrobe"
"""Long: four letters occur by chance in a megabyte of cipher text."""
Make = Callable[..., SqliteStore]


@pytest.fixture
def place(path: Path, tmp_path: Path) -> KeyPlace:
    """Keep the key in a file."""
    return KeyPlace(path, file=tmp_path / "key")


@pytest.fixture
def coder(path: Path, place: KeyPlace) -> Encryption:
    """Encrypt that store, whose backups are in a folder beside it."""
    return Encryption(path, path.parent / "backups", place)


@pytest.fixture
async def make(path: Path, place: KeyPlace) -> AsyncIterator[Make]:
    """Make stores of that file, and close them."""
    async with contextlib.AsyncExitStack() as stack:

        def made(given: KeyPlace = place, *, read_only: bool = False) -> SqliteStore:
            store = SqliteStore(path, large=1, read_only=read_only, keys=RememberedKeys(given))
            stack.push_async_callback(store.close)
            return store

        yield made


def unheard(_: Path) -> None:
    """Say nothing of a file that is converted."""


def readable(folder: Path, *texts: bytes) -> list[str]:
    """Return the names of the files in which one of the texts stands as it is, in any letters."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file.name for file in files if any(text.lower() in file.read_bytes().lower() for text in texts))


async def test_no_file_of_an_encrypted_store_can_be_read(path: Path, make: Make, coder: Encryption) -> None:
    """Neither words, names nor vectors; what lay about from before is encrypted or gone."""
    rows = vectors(6)
    plain = make()
    await plain.add([entry(f"{MARKER} {number}", row, tags=["striped"]) for number, row in enumerate(rows[:5])])
    await found(plain, rows[0])
    await plain.backup(coder.folder / "memories-20260101T000000Z-1.db")
    secrets = (b"zebra", b"wardrobe", b"striped", rows[1][:8], rows[5][:8])
    assert len(readable(path.parent, *secrets)) == 2  # the backup and the log
    assert path.with_name(f"{path.name}-signs").exists()
    coder.encrypt(unheard)
    store = make()
    await store.add([entry(f"{MARKER} 5", rows[5], tags=["striped"])])
    assert len(await found(store, rows[5])) == 6
    await store.backup(coder.folder / "memories-20260102T000000Z-1.db")
    await store.restore(coder.folder / "memories-20260101T000000Z-1.db", coder.folder / "before-restore-1.db")
    assert await store.verify() == []
    assert len(list(path.parent.rglob("*.db*"))) >= 5
    assert readable(path.parent, *secrets, b"SQLite format", b"MEMSIGN") == []


async def test_those_who_have_it_open_go_on(path: Path, make: Make, coder: Encryption) -> None:
    """An open store finds the new file at its next call, whichever way it was converted, and with which key."""
    store, reader = make(), make(read_only=True)
    contents = [(await put(store, f"text {number}")).content for number in range(3)]
    steps = [coder.encrypt, lambda on: coder.encrypt(on, rekey=True), coder.decrypt, coder.encrypt]
    for number, convert in enumerate(steps):
        assert await listed(reader) == contents[::-1]
        assert convert(unheard)
        contents.append((await put(store, f"after {number}")).content)
        assert await listed(store) == contents[::-1]
    assert await listed(reader) == contents[::-1]
    assert await make().verify() == []
    assert coder.encrypt(unheard) == []


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_write_that_waits_for_the_conversion_goes_to_the_new_file(
    make: Make, coder: Encryption, monkeypatch: pytest.MonkeyPatch, *, is_marked: bool
) -> None:
    """It gets the lock on a file that is no longer the store's; what it wrote there would be lost.

    The file is not marked if the conversion was killed as soon as the new one was in place.
    """
    if not is_marked:
        monkeypatch.setattr("memory_mcp.storage.sqlite.maintenance.conversion.CONVERTED", len(migrations()))
    store = make()
    await put(store, "before")
    loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[object]]()
    wrote = encryption.write_anew

    def and_let_wait(*given: object) -> None:
        wrote(*given)  # type: ignore[arg-type]  # as they came
        loop.call_soon_threadsafe(lambda: tasks.append(asyncio.create_task(put(store, "waited"))))

    monkeypatch.setattr("memory_mcp.storage.sqlite.maintenance.conversion.write_anew", and_let_wait)
    await asyncio.to_thread(coder.encrypt, unheard)
    await asyncio.gather(*tasks)
    assert await listed(make()) == ["waited", "before"]


async def test_nobody_opens_the_new_file_before_the_old_log_is_gone(
    path: Path, make: Make, coder: Encryption, place: KeyPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes at that moment would take the old log for the new file's."""
    await put(make(), "text")
    looked: list[Path] = []

    def come(folder: Path) -> None:
        assert encryption.is_encrypted(path)
        assert not path.with_name(f"{path.name}-wal").exists()
        with pytest.raises(apsw.BusyError):
            connect(path, Patience(1), RememberedKeys(place))
        looked.append(folder)

    monkeypatch.setattr("memory_mcp.storage.sqlite.maintenance.conversion.sync_folder", come)
    coder.encrypt(unheard)
    assert looked == [path.parent]
    connect(path, Patience(1), RememberedKeys(place)).close()


async def test_without_its_key_a_store_says_so_and_changes_nothing(
    path: Path, make: Make, coder: Encryption, place: KeyPlace, tmp_path: Path
) -> None:
    """Missing, wrong, or no key at all; as soon as the right one is there, the same front opens it."""
    await put(store := make(), "text")
    await store.close()
    coder.encrypt(unheard)
    before, key = path.read_bytes(), (tmp_path / "key").read_text()
    lost = place._replace(file=tmp_path / "lost")
    late = make(lost)
    for held, said in (("", "its key is not in"), ("0" * 64, "another key"), ("secret", "64 hexadecimal digits")):
        (tmp_path / "lost").write_text(held)
        with pytest.raises(LockedError, match=said) as failed:
            await listed(late)
        assert "; " in str(failed.value)
        assert (await late.findings(None))["store"].state == "locked"
        with pytest.raises(LockedError):
            await put(late, "more")
        for convert in (coder.encrypt, coder.decrypt):
            with pytest.raises(LockedError):
                getattr(Encryption(path, coder.folder, lost), convert.__name__)(unheard)
    assert path.read_bytes() == before
    (tmp_path / "lost").write_text(key)
    assert await listed(late) == ["text"]


async def test_a_plain_front_says_what_it_met(path: Path, coder: Encryption) -> None:
    """A file is told from a damaged one, and from other programs' files."""
    coder.encrypt(unheard)
    store = SqliteStore(path)
    with pytest.raises(LockedError, match="no key was given"):
        await listed(store)
    await store.close()
    path.write_bytes(b"\0" * 8192)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="damaged or not a database"):
        await listed(store)
    await store.close()


async def test_backups_go_where_the_store_can_read_them(path: Path, make: Make, coder: Encryption) -> None:
    """A plain one into an encrypted store, one with an older key, and one into an empty folder; never into a plain."""
    plain, coded, older = (coder.folder / f"memories-2026010{day}T000000Z-1.db" for day in (1, 2, 3))
    store = make()
    await put(store, "first")
    await store.backup(plain)
    kept = plain.read_bytes()
    coder.encrypt(unheard)
    await store.backup(older)
    held = older.read_bytes()
    coder.encrypt(unheard, rekey=True)
    await store.backup(coded)
    for content, name in ((kept, plain), (held, older)):
        name.write_bytes(content)
        await put(store, "gone")
        await store.restore(name, coder.folder / f"before-restore-{name.name}")
        assert await listed(store) == ["first"]
        assert encryption.is_encrypted(path)
    plain.unlink()
    await store.close()
    path.unlink()
    store = make()
    await store.restore(coded, coder.folder / "aside.db")
    assert (await listed(store), encryption.is_encrypted(path)) == (["first"], True)
    coder.decrypt(unheard)
    older.write_bytes(held)
    with pytest.raises(StoreError, match="run memory-mcp encrypt first"):
        await store.restore(older, coder.folder / "aside-2.db")
    assert await listed(store) == ["first"]


async def test_damage_in_an_encrypted_file_is_noticed(path: Path, make: Make, coder: Encryption) -> None:
    """A changed byte is not decrypted to something else: each page has a tag."""
    store = make()
    for number in range(40):
        await put(store, f"{'long ' * 200}{number}")
    await store.close()
    coder.encrypt(unheard)
    content = bytearray(path.read_bytes())
    content[3 * 4096 + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        await make().verify()


async def test_another_sqlite_never_writes_plain_text_for_encrypted(
    make: Make, coder: Encryption, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual build of apsw ignores the key."""
    await put(make(), "text")
    monkeypatch.delattr(apsw, "mc_version")
    with pytest.raises(StoreError, match="has no encryption"):
        coder.encrypt(unheard)
    assert await listed(make()) == ["text"]
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


async def test_no_new_key_is_made_where_an_old_one_could_be_lost(
    path: Path, make: Make, coder: Encryption, place: KeyPlace
) -> None:
    """Neither before each file has the latest one, nor where it cannot be kept."""
    await put(make(), "kept")
    coder.encrypt(unheard)
    coder.decrypt(unheard)
    keys = place.load()
    with pytest.raises(StoreError, match="run memory-mcp encrypt, then --rekey again"):
        coder.encrypt(unheard, rekey=True)
    assert place.load() == keys
    variable = Encryption(path, coder.folder, KeyPlace(path, variable=keys[0]))
    variable.encrypt(unheard)
    with pytest.raises(SettingsError, match="put the new key before the old one"):
        variable.encrypt(unheard, rekey=True)


def test_two_do_not_choose_a_key_at_once(coder: Encryption) -> None:
    """The second is sent away."""
    with coder._alone(), pytest.raises(StoreError, match="is running"):
        coder.encrypt(unheard)


WRITER = """
import asyncio, sys
from itertools import count
from pathlib import Path
from memory_mcp.storage.keys import KeyPlace, RememberedKeys
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import put, towards

path, key = map(Path, sys.argv[1:])

async def main():
    store = SqliteStore(path, keys=RememberedKeys(KeyPlace(path, file=key)))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for n in count():
        await put(store, f"text {n}", towards(n % 90), id=f"w{n}")
        print("store", f"w{n}", flush=True)
        if ended.done():
            return

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""
CONVERTER = """
import sys
from itertools import cycle
from pathlib import Path
from memory_mcp.storage.keys import KeyPlace
from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption

path, key = map(Path, sys.argv[1:])
coder = Encryption(path, path.parent / "backups", KeyPlace(path, file=key))
for step in cycle([coder.encrypt, lambda on: coder.encrypt(on, rekey=True), coder.decrypt]):
    print("begins", flush=True)
    step(lambda _: None)
    print("done", flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 43))])
async def test_a_killed_conversion_leaves_a_whole_store(
    path: Path, start: Start, make: Make, coder: Encryption, place: KeyPlace, seed: int
) -> None:
    """While another process writes: all that it was told is there, and the same command goes on."""
    store = make()
    for number in range(200):
        await put(store, f"{KEPT} {number}", towards(number % 90))
    await store.backup(coder.folder / "memories-20260101T000000Z-1.db")
    writer = start(WRITER, path, place.file)
    converter = start(CONVERTER, path, place.file)
    assert next_line(writer) == "ready"
    go(writer)
    for _ in range(2 * (seed % 3)):
        next_line(converter)
    assert next_line(converter) == "begins"
    kill_within(converter, 0.4, seed)
    converter.wait()
    await put(store, "after the kill")
    acknowledged = [memory_id for _, memory_id in ended(writer)]
    assert writer.returncode == 0
    coder.encrypt(unheard)
    late = make()
    contents = set(await listed(late, limit=1_000_000))
    assert {f"text {memory_id[1:]}" for memory_id in acknowledged} <= contents
    assert {"after the kill", *(f"{KEPT} {number}" for number in range(200))} <= contents
    assert await late.verify() == []
    assert readable(path.parent, KEPT.encode(), b"SQLite format") == []
    assert [file.name for file in path.parent.rglob(".*")] == []


@pytest.mark.parametrize("last", ["rename", "unlink"])
async def test_a_conversion_that_dies_while_it_swaps_loses_nothing(
    path: Path, start: Start, make: Make, coder: Encryption, place: KeyPlace, last: str
) -> None:
    """After each act of the swap, the path leads to a whole store; others who have it open say what happened."""
    store = make()
    await put(store, "kept")
    dying = start(DIES, path, place.file, last)
    dying.wait()
    assert dying.returncode == -9
    assert await listed(make()) == ["kept"]
    is_acknowledged = False
    with contextlib.suppress(StoreError):  # nobody marked the old file: it was replaced, for all that it knows
        await put(store, "more")
        is_acknowledged = True
    found = await listed(make())
    assert found in (["kept"], ["more", "kept"])
    assert "more" in found or not is_acknowledged
    coder.encrypt(unheard)
    assert encryption.is_encrypted(path)
    assert await make().verify() == []


DIES = """
import os, signal, sys
from pathlib import Path
from memory_mcp.storage.keys import KeyPlace
from memory_mcp.storage.sqlite.maintenance.encrypting import Encryption

path, key = map(Path, sys.argv[1:3])
act = getattr(Path, sys.argv[3])

def last(self, *given, **more):
    done = act(self, *given, **more)
    if path.name in self.name and (sys.argv[3] == "rename" or self.name == f"{path.name}-wal"):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(Path, sys.argv[3], last)
Encryption(path, path.parent / "backups", KeyPlace(path, file=key)).encrypt(lambda _: None)
"""
