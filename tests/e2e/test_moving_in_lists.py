"""What all imports of other systems share, as a process: folders and archives, zones, interruptions, undoing."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command, Started
from tests.e2e.test_moving_in import IMPORTS
from tests.fakes.daemon import FakeDaemon
from tests.fakes.peers import MemoryService

LIST = ("--from", "text")
NOTES = {
    "home.md": "# Home\n\n- The key lies under the mat\n- The boat leaves at ten\n  from the long pier\n",
    "work/standup.txt": "[2024-05-02] - The standup moved to 9:45.\n\nThe printer jams\non recycled paper.\n",
    "work/photo.png": "- no text",
}
TEXTS = {
    "The key lies under the mat",
    "The boat leaves at ten\n  from the long pier",
    "The standup moved to 9:45.",
    "The printer jams\non recycled paper.",
}
MANY = 200


@pytest.fixture
def notes(folder: Path) -> Path:
    """Make a folder with lists, and a link that leads out of it."""
    made = folder / "notes"
    for name, text in NOTES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    (folder / "secret.md").write_text("- a secret")
    (made / "link.md").symlink_to(folder / "secret.md")
    return made


async def stored(command: Command) -> dict[str, Json]:
    """Return the memories by their texts."""
    listed = await command("list", "--json", "--limit", "100")
    return {memory["content"]: memory for memory in listed.data["memories"]}


@pytest.mark.parametrize("form", ["", "zip", "gztar"])
async def test_a_folder_is_read_like_its_archive(
    command: Command, folder: Path, notes: Path, daemon: FakeDaemon, form: str
) -> None:
    """The same memories, whatever the path; links are not followed, and a second run finds all."""
    del daemon
    if form == "zip":
        (notes / "link.md").unlink()  # zip would hold what it leads to
    source = shutil.make_archive(str(folder / "packed"), form, notes) if form else str(notes)
    moved = await command("import", *LIST, source, "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 4, []), moved.err
    found = await stored(command)
    assert found.keys() == TEXTS
    assert found["The key lies under the mat"]["metadata"]["section"] == "Home"
    (notes / "home.md").rename(notes / "moved.md")
    again = await command("import", *LIST, str(notes), "--json")
    assert (again.code, again.data["created"], again.data["known"]) == (0, 0, 4)
    assert again.data["earlier_runs"] == {moved.data["run"]: 4}


async def test_a_zone_is_asked_for_and_undone(command: Command, notes: Path, daemon: FakeDaemon) -> None:
    """A wrong guess shows in the plan; the run is undone, and another one brings all back with the right zone."""
    del daemon
    planned = await command("import", *LIST, str(notes), "--dry-run", "--json")
    assert planned.data["namespaces"] == {"default": 4}
    assert "its time has no zone; read in this machine's zone, which --source-tz changes" in {
        remark["what"] for remark in planned.data["remarks"] if remark["kind"] == "guessed"
    }
    first = await command("import", *LIST, str(notes), "--source-tz", "Asia/Kolkata", "--json")
    dated = (await stored(command))["The standup moved to 9:45."]
    assert dated["created_at"] == "2024-05-01T18:30:00Z"
    await command("import", "--undo", first.data["run"])
    assert await stored(command) == {}
    refused = await command("import", *LIST, str(notes), "--source-tz", "America/New_York", "--json")
    assert (refused.code, len(refused.data["conflicts"])) == (1, 4)
    moved = await command("import", *LIST, str(notes), "--source-tz", "America/New_York", "--again", "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 4, []), moved.err
    dated = (await stored(command))["The standup moved to 9:45."]
    assert dated["created_at"] == "2024-05-02T04:00:00Z"
    assert dated["metadata"]["import"]["run"] == moved.data["run"]


async def test_a_time_that_was_made_up_is_no_difference(command: Command, notes: Path, daemon: FakeDaemon) -> None:
    """The file was saved again with one more entry; the others keep the time that they have."""
    del daemon
    await command("import", *LIST, str(notes))
    before = (await stored(command))["The key lies under the mat"]
    with (notes / "home.md").open("a") as file:
        file.write("- one more\n")
    os.utime(notes / "home.md", (2e9, 2e9))
    again = await command("import", *LIST, str(notes), "--json")
    assert (again.code, again.data["created"], again.data["differences"]) == (0, 1, []), again.err
    assert (await stored(command))["The key lies under the mat"] == before


async def test_a_list_can_be_pasted(command: Command, daemon: FakeDaemon) -> None:
    """Into stdin; what is said twice is taken once, and the plan says so."""
    del daemon
    moved = await command("import", *LIST, "-", "--json", stdin="* one\n2) two\n* one\n\n```\n\u2022 three\n```\n")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 3, []), moved.err
    assert [skipped["why"] for skipped in moved.data["skipped"]] == [
        "another record of this source has its id, or says the same"
    ]
    assert (await stored(command)).keys() == {"one", "two", "three"}


async def test_what_does_not_fit_is_one_line(command: Command, folder: Path, notes: Path) -> None:
    """A zone, an extra and a place that there are not, a folder without lists, and a damaged archive."""
    (folder / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"cut" * 100)
    (folder / "empty").mkdir()
    for arguments, code, said in (
        ((str(notes), "--source-tz", "Mars/Olympus"), 2, "unknown time zone"),
        ((str(notes), "--also", "dreams"), 2, "it has nothing to ask for; leave out --also"),
        ((), 1, "or - for stdin"),
        ((str(folder / "nowhere"),), 1, "give the path of"),
        ((str(folder / "cut.tar.gz"),), 1, "the archive is damaged; make or download it again"),
        ((str(folder / "empty"),), 1, "it holds no *.txt or *.md"),
    ):
        ended = await command("import", *LIST, *arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1), ended.err
        assert said in ended.err
    assert not (folder / "memory.db").exists()


async def test_one_database_is_named(command: Command, folder: Path) -> None:
    """A folder with two of them, or with none, says which; nothing is taken from either."""
    for name in ("a", "b"):
        MemoryService(folder / "both" / name / "sqlite_vec.db").close()
    (folder / "none").mkdir()
    (folder / "none/notes.md").write_text("- one")
    peer = ("import", "--from", "mcp-memory-service")
    both = await command(*peer, str(folder / "both"))
    assert (both.code, both.err.count("\n")) == (1, 1)
    assert "it holds several of sqlite_vec.db (a/sqlite_vec.db, b/sqlite_vec.db); give the path of one" in both.err
    none = await command(*peer, str(folder / "none"))
    assert (none.code, none.err.count("\n")) == (1, 1)
    assert "it holds no sqlite_vec.db; give the path of the folder of mcp-memory-service" in none.err
    assert (await command(*peer, str(folder / "both/a"), "--dry-run")).code == 0


async def test_a_killed_import_goes_on(begin: Started, command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """What was stored is known, the rest follows, nothing is there twice, and no private copy is left."""
    service = MemoryService(folder / "sqlite_vec.db")
    for number in range(MANY):
        service.add(f"id{number}", f"memory {number}")
    await daemon.change(hang_on="memory 100")
    source = ("import", "--from", "mcp-memory-service", str(service.path))
    killed = await begin(*source)
    await daemon.until(lambda: "memory 100" in daemon.texts)
    left = set(Path(tempfile.gettempdir()).glob(f"memory-mcp-import-{killed.pid}-*"))
    assert left
    killed.kill()
    _, said = await killed.communicate()
    run = said.decode().split("this is run ")[1].split(";")[0]
    await daemon.change(hang_on=None)
    resumed = await command(*source, "--json")
    data = resumed.data
    assert (resumed.code, data["created"], data["earlier_runs"]) == (0, MANY - 64, {run: 64}), resumed.err
    assert data["differences"] == []
    assert not [path for path in left if path.exists()]
    undone = await command("import", "--undo", run, "--json")
    assert len(undone.data["deleted"]) == 64
    service.close()


@pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")
@pytest.mark.parametrize(
    ("name", "count"),
    [("chatgpt/pasted_memories.txt", 12), ("chatgpt/asked_memories.md", 12), ("claude/asked_memories.md", 8)],
)
async def test_real_lists(command: Command, name: str, count: int) -> None:
    """Each entry is a memory, in every language, without its mark and date."""
    moved = await command("import", *LIST, str(IMPORTS / name), "--json")
    assert (moved.data["created"], moved.data["skipped"], moved.data["differences"]) == (count, [], [])
    found = await stored(command)
    assert not [text for text in found if text.startswith(("[", "-"))]
    if "asked" in name:
        lines = (IMPORTS / name).read_text().splitlines()
        assert found.keys() == {line.partition("] - ")[2] for line in lines if line}


@pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")
async def test_a_real_archive_is_unpacked(command: Command, folder: Path) -> None:
    """The database in it is read with its log."""
    archive = IMPORTS / "mcp-memory-service/v12.4.0-live-wal.tar.gz"
    moved = await command("import", "--from", "mcp-memory-service", str(archive), "--json")
    assert (moved.data["created"], moved.data["differences"]) == (57, [])
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "peer", filter="data")
    again = await command("import", "--from", "mcp-memory-service", str(folder / "peer"), "--json")
    assert (again.data["known"], again.data["differences"]) == (57, [])
