"""Watched folders are kept current, with real files and the system's own events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from memory_mcp.documents import file_events
from memory_mcp.documents.folders import LEASE, Folders
from memory_mcp.domain.checks import Inquiry
from memory_mcp.domain.documents import BY_CLIENT, Document, DocumentState
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import Condition
from memory_mcp.maintenance.leases import Lease
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import sections_of, texts_of
from tests.fakes.reader import FakeReader
from tests.front.documents.ingesting_kit import HERE, Kit

TEXT = "# One\nFirst things first.\n# Two\nSecond thoughts.\n"
EVERYWHERE = Inquiry(10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell changes after a short quiet, and poll often."""
    monkeypatch.setattr(file_events, "STEP_MS", 40)
    monkeypatch.setattr(file_events, "BURST_MS", 400)
    monkeypatch.setattr(file_events, "POLL_MS", 50)


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """Give a front with an empty folder."""
    folder = tmp_path / "docs"
    folder.mkdir()
    kit = Kit(SqliteStore(tmp_path / "memory.db"), folder)
    yield kit
    await kit.store.close()


def folders_of(kit: Kit) -> Folders:
    """Return what keeps the folders of a front current, quicker than in earnest."""
    lease = Lease(kit.store, LEASE)
    return Folders(kit.store.documents, kit.ingesting, lease, look_s=0.05, lease_s=0.5, retry_s=0.1)


@contextlib.asynccontextmanager
async def kept(folders: Folders) -> AsyncIterator[asyncio.Task[None]]:
    """Run the loop of a front."""
    task = asyncio.create_task(folders.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def when(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - files and another process's database have no event
            await asyncio.sleep(0.02)


async def named(kit: Kit, *names: str) -> list[Document]:
    """Wait until exactly these files are there, by the names in the folder, and return their documents."""
    uris = {(kit.folder / name).as_uri() for name in names}

    async def is_so() -> bool:
        there = await kit.ingesting.documents("here", state=DocumentState.OK)
        return {uri for document in there for uri in document.uris} == uris and await is_at_rest(kit)

    await when(is_so)
    return await kit.ingesting.documents("here", state=DocumentState.OK)


async def is_at_rest(kit: Kit) -> bool:
    """Whether all jobs have ended."""
    return await kit.store.documents.unfinished_job() is None


async def read(kit: Kit, text: str) -> Document:
    """Wait until the only document has a text, and return it."""

    async def is_so() -> bool:
        found = await kit.all()
        return len(found) == 1 and text in "\n".join(await texts_of(kit.store, found[0])) and await is_at_rest(kit)

    await when(is_so)
    return (await kit.all())[0]


async def test_what_happens_in_a_folder_is_followed(kit: Kit) -> None:
    """New, changed, renamed and deleted files; a renamed one keeps its document and its sections' ids."""
    path = kit.write("a.md", TEXT)
    await kit.ingesting.watch(kit.folder, kit.request("red"))
    async with kept(folders_of(kit)):
        [first] = await named(kit, "a.md")
        assert first.tags == ("red",)
        before = [memory.id for memory in await sections_of(kit.store, first)]
        path.write_text("# Zero\nNew.\n" + TEXT, encoding="utf-8")
        changed = await read(kit, "New.")
        assert [memory.id for memory in await sections_of(kit.store, changed)][1:] == before
        path.rename(kit.folder / "b.md")
        [renamed] = await named(kit, "b.md")
        assert renamed.id == first.id
        assert [memory.id for memory in await sections_of(kit.store, renamed)][1:] == before
        kit.write("deep/er/c.md", "Another text.")
        await named(kit, "b.md", "deep/er/c.md")
        kit.write("deep/er/d.md", "In a folder that is new.")
        await named(kit, "b.md", "deep/er/c.md", "deep/er/d.md")
        (kit.folder / "deep").rename(kit.folder / "moved")
        await named(kit, "b.md", "moved/er/c.md", "moved/er/d.md")
        kit.write("moved/er/d.md", "In a folder that was moved.")
        shutil.rmtree(kit.folder / "moved/er")
        (kit.folder / "b.md").unlink()
        await named(kit)
    assert kit.reader.read_names.count("b.md") == 0


async def test_what_happened_while_nobody_watched_is_noticed(kit: Kit) -> None:
    """The first look reads what changed, marks what is gone, and queues no job where nothing did."""
    for name in ("a.md", "b.md", "c.md"):
        kit.write(name, f"Text of {name}")
    await kit.ingest()
    await kit.ingesting.watch(kit.folder, kit.request())
    kit.write("a.md", "Another text")
    (kit.folder / "b.md").unlink()
    async with kept(folders_of(kit)):
        await named(kit, "a.md", "c.md")
    assert kit.reader.read_names == ["a.md", "b.md", "c.md", "a.md"]
    jobs = await kit.ingesting.jobs("here", 10)
    assert len(jobs) == 2
    async with kept(folders_of(kit)):
        kit.write("d.md", "Later")
        await named(kit, "a.md", "c.md", "d.md")
    assert len(await kit.ingesting.jobs("here", 10)) == len(jobs) + 1


async def test_a_save_by_rename_is_one_change(kit: Kit) -> None:
    """The temporary file is no document, and neither is the editor's backup; the document stays the same."""
    path = kit.write("a.md", TEXT)
    await kit.ingesting.watch(kit.folder, kit.request())
    async with kept(folders_of(kit)):
        [document] = await named(kit, "a.md")
        path.rename(kit.folder / "a.md~")
        kit.write(".a.md.swp", TEXT + "Third.").rename(path)
        assert (await read(kit, "Third.")).id == document.id
    assert kit.reader.read_names == ["a.md", "a.md"]
    assert len(await kit.ingesting.jobs("here", 10)) == 2


async def test_a_burst_is_one_job(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more files than are looked at one by one."""
    monkeypatch.setattr("memory_mcp.documents.kept_folder.AT_ONCE", 10)
    await kit.ingesting.watch(kit.folder, kit.request())
    kit.write("first.md", "First")
    async with kept(folders_of(kit)):
        await named(kit, "first.md")
        names = [f"{number}.md" for number in range(30)]
        for name in names:
            kit.write(name, f"Text of {name}")
        await named(kit, "first.md", *names)
    assert len(await kit.ingesting.jobs("here", 100)) < 5


async def test_ignore_files_are_honoured_also_when_they_change(kit: Kit) -> None:
    """What they leave out is not read, and is once they no longer do."""
    rules = kit.write(".memoryignore", "drafts/\n*.log\n")
    kit.write("drafts/a.md", "Draft")
    kit.write("a.log", "Log")
    kit.write("a.md", "Text")
    await kit.ingesting.watch(kit.folder, kit.request())
    async with kept(folders_of(kit)):
        await named(kit, ".memoryignore", "a.md")
        kit.write("drafts/b.md", "Another draft")
        kit.write("b.log", "Another log")
        kit.write(".env", "PASSWORD=1")
        kit.write("b.md", "Another text")
        await named(kit, ".memoryignore", "a.md", "b.md")
        rules.write_text("*.log\n", encoding="utf-8")
        await named(kit, ".memoryignore", "a.md", "b.md", "drafts/a.md", "drafts/b.md")
        kit.write("drafts/c.md", "Followed from now on")
        await named(kit, ".memoryignore", "a.md", "b.md", "drafts/a.md", "drafts/b.md", "drafts/c.md")


async def test_links_to_folders_are_not_followed(kit: Kit, tmp_path: Path) -> None:
    """Nothing beyond them is watched or read."""
    (tmp_path / "elsewhere").mkdir()
    (kit.folder / "link").symlink_to(tmp_path / "elsewhere")
    await kit.ingesting.watch(kit.folder, kit.request())
    kit.write("a.md", "Text")
    async with kept(folders_of(kit)):
        await named(kit, "a.md")
        (tmp_path / "elsewhere/b.md").write_text("Beyond", encoding="utf-8")
        kit.write("c.md", "Within")
        await named(kit, "a.md", "c.md")


async def test_a_folder_that_vanishes_marks_nothing(kit: Kit, tmp_path: Path) -> None:
    """Health names it and the fix; it is picked up again when it is back."""
    kit.write("a.md", "Text")
    await kit.ingesting.watch(kit.folder, kit.request())
    folders = folders_of(kit)

    async def is_told(cause: str) -> bool:
        finding = await folders.finding(EVERYWHERE)
        return finding.condition is Condition.DEGRADED and cause in finding.cause

    async with kept(folders):
        await named(kit, "a.md")
        for empty in (False, True):  # an unmounted disk leaves nothing, or an empty folder
            kit.folder.rename(tmp_path / "away")
            if empty:
                kit.folder.mkdir()
            await when(partial(is_told, "is empty" if empty else "is not there"))
            finding = await folders.finding(EVERYWHERE)
            assert str(kit.folder) in finding.cause
            assert "memory-mcp" in finding.fix
            assert await kit.ingesting.documents("here", state=DocumentState.MISSING) == []
            shutil.rmtree(kit.folder, ignore_errors=True)
            (tmp_path / "away").rename(kit.folder)
            kit.write(f"back-{empty}.md", f"Back {empty}")
            await when(lambda: _well(folders))
        await named(kit, "a.md", "back-False.md", "back-True.md")


@pytest.mark.parametrize("swapped", ["docs", "docs/deep"])
async def test_a_folder_replaced_by_a_link_is_not_followed(kit: Kit, tmp_path: Path, swapped: str) -> None:
    """Be it itself or one above it: nothing of the other place is read or marked, and health says so."""
    watched = kit.folder / "deep"
    kit.write("deep/a.md", "Text")
    await kit.ingesting.watch(watched, kit.request())
    folders = folders_of(kit)

    async def is_told() -> bool:
        return "replaced by a link" in (await folders.finding(EVERYWHERE)).cause

    async with kept(folders):
        await named(kit, "deep/a.md")
        (tmp_path / "secret" / "deep").mkdir(parents=True)
        for place in ("secret/b.md", "secret/deep/b.md"):
            (tmp_path / place).write_text("Not for you", encoding="utf-8")
        (tmp_path / swapped).rename(tmp_path / "away")
        (tmp_path / swapped).symlink_to(tmp_path / "secret")
        await when(is_told)
        assert len(await named(kit, "deep/a.md")) == 1
    assert await folders_of(kit)._trouble((await kit.ingesting.watches("here"))[0])
    assert kit.reader.read_names == ["a.md"]


async def test_a_watch_takes_no_link(kit: Kit, tmp_path: Path) -> None:
    """A link could lead elsewhere later; its real path is named."""
    (tmp_path / "alias").symlink_to(kit.folder)
    with pytest.raises(InvalidArgumentError, match=str(kit.folder)):
        await kit.ingesting.watch(tmp_path / "alias", kit.request())


async def _well(folders: Folders) -> bool:
    return (await folders.finding(EVERYWHERE)).condition is Condition.OK


async def test_a_network_file_system_is_polled(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is a folder where the system watches no more; health says why."""
    monkeypatch.setattr("memory_mcp.documents.kept_folder.network_type", lambda _: "nfs4")
    await kit.ingesting.watch(kit.folder, kit.request())
    path = kit.write("a.md", "Text")
    folders = folders_of(kit)
    async with kept(folders):
        await named(kit, "a.md")
        path.write_text("Changed and longer", encoding="utf-8")
        await read(kit, "Changed")
        assert "network file system (nfs4)" in (await folders.finding(EVERYWHERE)).detail
        path.unlink()
        await named(kit)


async def test_a_limit_of_the_system_is_told_and_polled_around(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library raises an error of its own at the limit."""
    import watchfiles  # noqa: PLC0415 - its function is what is replaced

    natively = watchfiles.watch

    def limited(*paths: str, force_polling: bool | None = None, **options: object) -> object:
        if not force_polling:
            raise RuntimeError("OS file watch limit reached.")
        return natively(*paths, force_polling=True, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(watchfiles, "watch", limited)
    await kit.ingesting.watch(kit.folder, kit.request())
    folders = folders_of(kit)
    kit.write("a.md", "Text")
    async with kept(folders):
        await named(kit, "a.md")
        kit.write("b.md", "More")
        await named(kit, "a.md", "b.md")
        assert "OS file watch limit reached" in (await folders.finding(EVERYWHERE)).detail


async def test_one_front_watches_and_another_takes_over(kit: Kit) -> None:
    """Two fronts queue one job; when the first dies without giving back its lease, the second goes on."""
    second = Kit(SqliteStore(kit.folder.parent / "memory.db"), kit.folder, FakeReader())
    await kit.ingesting.watch(kit.folder, kit.request())
    kit.write("a.md", "Text")
    first = folders_of(kit)
    try:
        async with kept(first) as dying:
            await named(kit, "a.md")
            other = folders_of(second)
            async with kept(other):
                kit.write("b.md", "More")
                await named(kit, "a.md", "b.md")
                assert "to another" in (await other.finding(EVERYWHERE)).detail
                assert len(await kit.ingesting.jobs("here", 10)) == 2
                first._taken_at = None  # as after kill -9: it is not given back
                dying.cancel()
                kit.write("c.md", "Yet more")
                await named(kit, "a.md", "b.md", "c.md")
        assert second.reader.read_names == ["c.md"]
    finally:
        await second.store.close()


async def test_a_clients_watch_is_kept_only_while_that_is_allowed(kit: Kit) -> None:
    """Once it is forbidden, the folder is left alone and a check says so; the user's own watch of it is kept."""
    request = kit.request()
    watch = await kit.ingesting.watch(kit.folder, replace(request, asked_by=f"{BY_CLIENT}me"))
    folders = Folders(kit.store.documents, kit.ingesting, Lease(kit.store, LEASE), look_s=0.05, for_clients=False)
    async with kept(folders):
        kit.write("a.md", "Text")
        finding = await folders.finding(EVERYWHERE)
        assert (finding.condition, f"documents remove {watch.id}" in finding.fix) == (Condition.DEGRADED, True)
        assert "MCP_MEMORY_INGEST_WATCH=1" in finding.fix
        assert await Lease(kit.store, LEASE).take(0)
        assert await kit.ingesting.jobs("here", 1) == []
        await kit.ingesting.watch(kit.folder, request)
        await named(kit, "a.md")
        assert (await folders.finding(EVERYWHERE)).condition is Condition.OK


async def test_watches_come_and_go(kit: Kit) -> None:
    """A new one is noticed at once; one that is removed is followed no longer, and its documents stay."""
    folders = folders_of(kit)
    async with kept(folders):
        kit.write("a.md", "Text")
        watch = await kit.ingesting.watch(kit.folder, kit.request())
        await named(kit, "a.md")
        await kit.ingesting.unwatch(watch.id, HERE)

        async def is_free() -> bool:
            return await Lease(kit.store, LEASE).take(0)

        await when(is_free)
        kit.write("b.md", "Unseen")
        assert (await folders.finding(EVERYWHERE)).state == "none"
        await named(kit, "a.md")


@pytest.mark.parametrize(
    ("kind", "told"), [("ext4", ""), ("nfs4", "nfs4"), ("fuse.sshfs", "fuse.sshfs"), ("fuseblk", ""), ("overlay", "")]
)
def test_network_file_systems(kind: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost mount decides."""
    import psutil  # noqa: PLC0415 - its function is what is replaced
    from psutil._ntuples import sdiskpart  # noqa: PLC0415

    mounts = [sdiskpart("/dev/a", "/", "xfs", ""), sdiskpart("x", os.path.realpath(tmp_path), kind, "")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert file_events.network_type(tmp_path / "deep") == told
