"""Files that are no database, or no whole one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from memory_mcp.domain.errors import NotFoundError, StoreError
from memory_mcp.domain.models import Change, Chunk, Condition, Embedded, Filters, Stored
from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, SPACE, keyword_search, nearest, new, put, towards, whole

PAGE = 4096
FILTERS = Filters("here", tags=("a",), metadata={"k": "v"})
READS: list[Callable[[Store], Awaitable[object]]] = [
    lambda store: store.get("m1", "here"),
    lambda store: store.read(lambda it: it.page(HERE, limit=100, cursor=None)),
    lambda store: store.read(lambda it: it.page(FILTERS, limit=100, cursor=None)),
    lambda store: nearest(store, towards(0), SPACE, FILTERS, 10),
    lambda store: keyword_search(store, "memory über", HERE, 100),
    lambda store: store.pending(100),
    lambda store: store.read(lambda it: it.queue(None)),
    lambda store: store.delete(None, FILTERS, dry_run=True),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the bytes of a file with some of everything in it."""
    path = tmp_path_factory.mktemp("sound") / "memories.db"
    asyncio.run(_fill(path))
    return path.read_bytes()


async def _fill(path: Path) -> None:
    store = SqliteStore(path)
    contents = [f"memory number {n} über " + "und so weiter " * 30 for n in range(40)]
    passages = Embedded((Chunk(0, 10, towards(0)), Chunk(10, 20)), SPACE)
    items = [(new(text, id=f"m{n}", tags=("a",), metadata={"k": "v"}), passages) for n, text in enumerate(contents)]
    assert all(isinstance(stored, Stored) for stored in await store.add(items))
    memory = await store.get("m1", "here")
    await store.update(memory, Change(content="another memory"), whole("another memory", towards(9)), None)
    await store.close()


def _noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same at every run


@pytest.mark.parametrize("size", [1, 10, 100, 512, 4096, 50_000])
async def test_random_bytes_are_refused_and_kept(path: Path, size: int) -> None:
    """A file that is no database is named with a fix, and not a byte of it changes."""
    path.parent.mkdir()
    before = _noise(size, size)
    path.write_bytes(before)
    store = SqliteStore(path)
    for call in (store.get("m1", "here"), put(store, "text")):
        with pytest.raises(StoreError, match="backup") as caught:
            await call
        assert str(path) in str(caught.value)
    finding = (await store.findings(None))["store"]
    assert (finding.condition, str(path) in finding.cause) == (Condition.FAILED, True)
    await store.close()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


async def test_a_cut_file_is_refused_and_kept(path: Path, sound: bytes) -> None:
    """Half a database is refused in words, and stays as it is."""
    path.parent.mkdir()
    path.write_bytes(sound[: len(sound) // 2])
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="damaged"):
        await store.read(lambda it: it.page(HERE, limit=100, cursor=None))
    await store.close()
    assert path.read_bytes() == sound[: len(sound) // 2]


@pytest.mark.parametrize(("begin", "end"), [(0, 1_500), (1_500, PAGE), (PAGE - 200, PAGE)])
async def test_every_damaged_page_gives_an_answer_or_a_sentence(path: Path, sound: bytes, begin: int, end: int) -> None:
    """Whichever page is damaged, a read succeeds or says that the file is damaged, and changes nothing."""
    path.parent.mkdir()
    sentences: list[str] = []
    for start in range(0, len(sound), PAGE):
        hurt = bytearray(sound)
        first, last = (start + 100 if start == 0 else start) + begin, start + end
        hurt[first:last] = _noise(start, last - first)
        path.write_bytes(hurt)
        store = SqliteStore(path)
        for read in READS:
            try:
                await read(store)
            except NotFoundError:
                continue
            except StoreError as error:
                sentences.append(str(error))
        await store.close()
        assert path.read_bytes() == hurt
    assert sentences
    assert all(str(path) in sentence for sentence in sentences)


async def test_a_write_that_meets_damage_keeps_nothing(path: Path, sound: bytes) -> None:
    """A write to a damaged table fails in words and leaves the file as it was."""
    path.parent.mkdir()
    hurt = sound[: 2 * PAGE] + bytes(len(sound) - 2 * PAGE)
    path.write_bytes(hurt)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="nothing was changed"):
        await put(store, "text", towards(0))
    await store.close()
    assert path.read_bytes() == hurt
