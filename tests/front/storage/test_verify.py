"""What does not agree in a file is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import OTHER_SPACE, put, towards, whole
from tests.front.storage.audit import opened
from tests.front.storage.test_migration import make_old

HARM = {
    "1 live memories are not in the keyword index": "DELETE FROM keywords WHERE rowid = 1",
    "1 entries of the keyword index belong to no live memory": "INSERT INTO keywords (rowid, terms) VALUES (99, '1:x')",
    "1 of 3 memories are not found by their own words": "UPDATE memories SET content = 'rewritten' WHERE key = 1",
    "1 live memories have no chunk that is pending or in the active space": "DELETE FROM passages WHERE key = 3",
    "2 live memories have no chunk that is pending or in the active space": "UPDATE passages SET space = space + 1",
    "1 chunks extend beyond their memory's content": "UPDATE passages SET last = 7 WHERE key = 2",
    "1 chunks belong to no live memory": "UPDATE memories SET deleted_at = 1 WHERE key = 3",
    "1 embedded chunks have no space": "UPDATE passages SET space = NULL WHERE key = 1",
    "1 namespaces have a wrong count of memories": "UPDATE partitions SET memories = 9",
    "3 memories are in a namespace without a number": "UPDATE partitions SET namespace = 'any_namespace'",
    "1 live memories are missing from the change log": "DELETE FROM changes WHERE seq = 1",
    "2 live memories are missing from the change log": """
        INSERT INTO change_floor VALUES (1, 1, 1, 0); DELETE FROM changes WHERE seq <= 3""",
    "2 entries of the change log are below its floor": "INSERT INTO change_floor VALUES (1, 2, 1, 0)",
    "1 floors of the change log are above its latest entry": "INSERT INTO change_floor VALUES (1, 9, 1, 0)",
    "1 chunks lack their vector in the space space-a": "DELETE FROM vectors_1 WHERE passage_id = 1",
    "2 chunks lack their vector in the space space-a": "DELETE FROM vectors_1_chunks",
    "2 chunks lack their vector in the space space-a, too": "DELETE FROM vectors_1_vector_chunks00",
    "2 vectors of the space space-a are hidden from searches": "UPDATE vectors_1_chunks SET validity = zeroblob(32)",
    "1 vectors of the space space-a belong to no chunk": "UPDATE passages SET state = 'pending' WHERE key = 1",
    "1 vectors of the space space-a are filed under another namespace than their memory's": """
        UPDATE memories SET namespace = 'there' WHERE key = 2""",
    "1 vectors of the space space-a, among a sample, are zero or not finite": """
        UPDATE vectors_1 SET embedding = zeroblob(32) WHERE passage_id = 1""",
    "1 rows refer to missing rows": "INSERT INTO tags VALUES ('t', 99, 't')",
}


async def _filled(path: Path) -> None:
    store = SqliteStore(path)
    await put(store, "first", towards(0))
    await put(store, "second", towards(10))
    await put(store, "waits")
    assert await store.verify() == []
    await store.close()


@pytest.mark.parametrize(("sentence", "harm"), HARM.items())
async def test_each_disagreement_is_named(path: Path, sentence: str, harm: str) -> None:
    """Whatever part of the file was changed behind the store's back, the sentence that names it is given."""
    await _filled(path)
    with opened(path) as db:
        db.execute(harm)
    store = SqliteStore(path)
    assert sentence.removesuffix(", too") in await store.verify()
    await store.close()


async def test_a_damaged_page_is_named_alone(path: Path) -> None:
    """Where the file itself is damaged, nothing else is said of it, or it cannot be opened at all."""
    await _filled(path)
    sound = path.read_bytes()
    named = 0
    for page in range(1, len(sound) // 4096):
        path.write_bytes(sound[: page * 4096] + bytes(4096) + sound[(page + 1) * 4096 :])
        store = SqliteStore(path)
        try:
            named += bool(await store.verify())
        except StoreError:
            named += 1
        await store.close()
    assert named > 10


async def test_a_backup_of_what_does_not_agree_is_refused(path: Path, tmp_path: Path) -> None:
    """A copy that would not help is not called a backup, and nothing is left of it."""
    await _filled(path)
    with opened(path) as db:
        db.execute("DELETE FROM keywords WHERE rowid = 1")
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="is inconsistent"):
        await store.backup(tmp_path / "copies" / "copy")
    assert list((tmp_path / "copies").iterdir()) == []
    await store.close()


async def test_a_copy_is_private_and_one_file(path: Path, tmp_path: Path) -> None:
    """Nobody else can read a backup, and nothing lies beside it."""
    await _filled(path)
    store = SqliteStore(path)
    await store.backup(tmp_path / "copies" / "copy")
    [copy] = (tmp_path / "copies").iterdir()
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    await store.close()


async def test_a_store_that_cannot_be_opened_is_restored(path: Path, tmp_path: Path) -> None:
    """A file of random bytes is put away, and the backup takes its place."""
    await _filled(path)
    store = SqliteStore(path)
    await store.backup(tmp_path / "copy")
    await store.close()
    path.write_bytes(b"no database" * 1_000)
    store = SqliteStore(path)
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    assert (tmp_path / "aside").read_bytes() == b"no database" * 1_000
    assert await store.verify() == []
    await store.close()


async def test_a_missing_store_is_restored(path: Path, tmp_path: Path) -> None:
    """Where no file is, the backup becomes the store and nothing is kept aside."""
    await _filled(path)
    store = SqliteStore(path)
    await store.backup(tmp_path / "copy")
    await store.close()
    path.unlink()
    store = SqliteStore(path)
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    assert not (tmp_path / "aside").exists()
    assert (await put(store, "more")).revision == 1
    await store.close()


async def test_everyone_sees_a_restored_store(path: Path, tmp_path: Path) -> None:
    """A store that has the file open reads and writes the restored one at once, and no generation comes twice."""
    store, other = SqliteStore(path), SqliteStore(path)
    await put(store, "kept", towards(0))
    await store.backup(tmp_path / "copy")
    await put(other, "later", towards(10))
    generation = await other.generation()
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    assert (await other.export(0, 10))[-1].memory.content == "kept"
    assert await other.generation() > generation
    await put(other, "after", towards(20))
    assert [record.memory.content for record in await store.export(0, 10)] == ["kept", "after"]
    assert await store.verify() == []
    await store.close()
    await other.close()


async def test_a_backup_of_the_first_version_is_restored(path: Path, tmp_path: Path) -> None:
    """It is migrated on the way."""
    make_old(tmp_path / "old" / "m.db", 10)
    store = SqliteStore(path)
    await store.restore(tmp_path / "old" / "m.db", tmp_path / "aside")
    assert len(await store.export(0, 100)) == 9
    assert await store.verify() == []
    await store.close()


@pytest.mark.parametrize("what", ["deleted", "moved", "replaced"])
async def test_a_file_that_goes_away_is_noticed(path: Path, what: str) -> None:
    """What is written to a file that nobody can open again would be lost: it is refused, reads as well."""
    store = SqliteStore(path)
    await put(store, "text", towards(0))
    if what == "replaced":
        other = SqliteStore(path.with_name("other.db"))
        await put(other, "other")
        await other.close()
        path.with_name("other.db").rename(path)
    elif what == "moved":
        path.rename(path.with_name("moved.db"))
    else:
        path.unlink()
    for call in (put(store, "lost"), store.read(lambda it: it.fetch([1]))):
        with pytest.raises(StoreError, match=r"moved, deleted or replaced .* restore"):
            await call
    await store.close()


async def test_a_file_that_comes_back_is_used_again(path: Path) -> None:
    """Moved away and back, it is the same file."""
    store = SqliteStore(path)
    await put(store, "text", towards(0))
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StoreError):
        await put(store, "refused")
    path.with_name("moved.db").rename(path)
    await put(store, "taken")
    assert [record.memory.content for record in await store.export(0, 9)] == ["text", "taken"]
    await store.close()


async def test_a_switch_is_seen_by_everyone(path: Path) -> None:
    """Another front's next search is of the new space."""
    store, other = SqliteStore(path), SqliteStore(path)
    memory = await put(store, "text", towards(0))
    assert await other.read(lambda it: it.space()) == await store.read(lambda it: it.space())
    lacking = await store.missing_vectors(OTHER_SPACE, 0, 9)
    await store.backfill(OTHER_SPACE, [(of, whole("text", towards(0)).chunks) for of in lacking])
    assert await store.activate_space(OTHER_SPACE)
    [match] = await other.read(lambda it: it.compare(towards(0), OTHER_SPACE, [memory.key]))
    assert match.score == pytest.approx(1)
    await store.close()
    await other.close()
