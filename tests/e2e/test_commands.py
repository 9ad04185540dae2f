"""The commands that look after a store, while a client uses it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.client import RawClient
from tests.e2e.conftest import FRONT, Command, Started
from tests.fakes.daemon import FakeDaemon


async def _contents(client: RawClient) -> list[str]:
    listed = await client.tool("memory_list", limit=100)
    return sorted(memory["content"] for memory in listed["memories"])


async def test_a_backup_is_restored_under_a_client(
    daemon: FakeDaemon, client: RawClient, command: Command, folder: Path
) -> None:
    """A client that goes on sees the restored store, writes to it, and what was there can be restored again."""
    del daemon
    await client.tool("memory_store", content="kept")
    backup = Path((await command("backup", "--json")).data["path"])
    assert backup.parent == folder / "backups"
    await client.tool("memory_store", content="lost")
    restored = await command("restore", str(backup), "--json")
    assert await _contents(client) == ["kept"]
    await client.tool("memory_store", content="after")
    assert (await client.tool("memory_search", query="after"))["results"][0]["content"] == "after"
    again = await command("restore", restored.data["kept"])
    assert again.code == 0
    assert "is kept as" in again.out
    assert await _contents(client) == ["kept", "lost"]


async def test_a_backup_to_a_named_file_replaces_nothing(client: RawClient, command: Command, folder: Path) -> None:
    """The second one is refused in one line."""
    await client.tool("memory_store", content="text")
    assert (await command("backup", str(folder / "copy.db"))).out == f"backed up to {folder}/copy.db\n"
    again = await command("backup", str(folder / "copy.db"))
    assert (again.code, again.out) == (1, "")
    assert again.err == f"memory-mcp: {folder}/copy.db exists already; choose another file\n"


async def test_what_is_no_backup_is_refused(client: RawClient, command: Command, folder: Path) -> None:
    """A file of another kind, and one that is not there."""
    await client.tool("memory_store", content="text")
    (folder / "notes.txt").write_text("my notes" * 1_000)
    foreign, absent = await command("restore", f"{folder}/notes.txt"), await command("restore", f"{folder}/absent")
    assert (foreign.code, absent.code) == (1, 2)
    assert "notes.txt is damaged or not a database" in foreign.err
    assert "absent" in absent.err
    assert await _contents(client) == ["text"]


async def test_a_deleted_memory_is_brought_back(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """By its id, for the client to find at once; an unknown id is named."""
    del daemon
    memory_id = (await client.tool("memory_store", content="red apples"))["id"]
    await client.tool("memory_delete", id=memory_id)
    brought = await command("undelete", memory_id, "--json")
    assert (brought.code, brought.data) == (0, {"ids": [memory_id], "embedded": True})
    assert [hit["id"] for hit in (await client.tool("memory_search", query="apples"))["results"]] == [memory_id]
    assert (await command("undelete", memory_id)).code == 1


async def test_without_a_daemon_it_comes_back_degraded(client: RawClient, command: Command) -> None:
    """Exit code 3: it worked, without vectors."""
    memory_id = (await client.tool("memory_store", content="red apples"))["id"]
    await client.tool("memory_delete", id=memory_id)
    assert (await command("undelete", memory_id)).code == 3
    assert await _contents(client) == ["red apples"]


async def test_an_export_is_imported_elsewhere_without_loss(
    daemon: FakeDaemon, client: RawClient, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """Exported again, the other store gives the same lines, documents too, and importing twice changes nothing."""
    del daemon
    stored = await client.tool("memory_store", content="first", tags=["x"], metadata={"n": 1}, conversation_id="talk")
    await client.tool("memory_update", id=stored["id"], content="second")
    await client.tool("memory_store", content="caf\u00e9 \u65e5\u672c\u8a9e \ud83c\udf4e\nnext line", namespace="there")
    (folder / "notes").mkdir()
    (folder / "notes" / "voles.md").write_text("# Voles\nThey dig.\n# Moles\nThey dig deeper.\n")
    assert (await command("ingest", "--watch", str(folder / "notes"))).code in {0, 3}
    target = folder / "export.jsonl"
    exported = await command("export", str(target))
    assert (exported.code, exported.err.splitlines()) == (
        0,
        [
            "exported 4 memories and 1 document",
            "1 watched folder not exported; where the files are, run `memory-mcp ingest --watch`",
        ],
    )
    environment["MCP_MEMORY_SQLITE_PATH"] = str(folder / "other.db")
    assert (await command("import", str(target), "--json")).data == {
        "created": 4,
        "known": 0,
        "pending": 0,
        "documents": 1,
        "conflicts": 0,
    }
    again = (await command("import", str(target), "--json")).data
    assert (again["created"], again["known"], again["documents"]) == (0, 4, 0)
    assert (await command("documents", "list", "--json")).data["documents"][0]["sections"] == 2
    assert (await command("export", "-")).out == target.read_text()
    assert (await command("ingest", str(folder / "notes"), "--json")).data["files"]["unchanged"] == 1


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("", "line 1"),
        ("{}\n", "line 1"),
        ('{"memory_mcp_export": 3}\n', "newer memory-mcp"),
        ('{"memory_mcp_export": 1}\nnot json\n', "line 2"),
        ('{"memory_mcp_export": 1}\n', "ends early, after 0 lines"),
        ('{"memory_mcp_export": 1}\n{"memory_mcp_export_end": 1}\n', "line 2"),
        ('{"memory_mcp_export": 1}\n{"id": "a"}\n', "line 2: revision"),
    ],
)
async def test_what_is_no_export_is_named_by_its_line(command: Command, folder: Path, lines: str, named: str) -> None:
    """The first line that is wrong, and what is wrong with it."""
    (folder / "in.jsonl").write_text(lines)
    ended = await command("import", str(folder / "in.jsonl"))
    assert ended.code == 1
    assert named in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_conflicts_are_told_and_left_out(client: RawClient, command: Command, folder: Path) -> None:
    """The rest is imported; the exit code says that not all was."""
    await client.tool("memory_store", content="mine", id="a")
    await command("export", str(folder / "out.jsonl"))
    lines = (folder / "out.jsonl").read_text()
    header, mine, _ = lines.splitlines()
    other = mine.replace('"id": "a"', '"id": "b"').replace("mine", "new")
    changed = [header, mine.replace("mine", "theirs"), other, '{"memory_mcp_export_end": 2}']
    (folder / "in.jsonl").write_text("\n".join(changed) + "\n")
    ended = await command("import", str(folder / "in.jsonl"))
    assert ended.code == 1
    assert "'a' belongs to a memory with other content" in ended.err
    assert "imported 1 memory (1 has no vector yet), 0 existed already, 1 conflict" in ended.out
    assert await _contents(client) == ["mine", "new"]


async def test_another_model_is_noticed_and_the_store_re_embedded(
    daemon: FakeDaemon, client: RawClient, command: Command
) -> None:
    """Search says what is missing and health names the command, which brings vectors back for everyone."""
    for number in range(3):
        await client.tool("memory_store", content=f"memory number {number}")
    await daemon.change(space_id="fake-other-weights")
    found = await client.tool("memory_search", query="memory number 1")
    assert found["mode"] == "keyword"
    assert "another embedding space" in found["degraded"]
    assert "memory-mcp reembed" in (await client.tool("memory_health"))["space"]["fix"]
    await client.tool("memory_store", content="stored meanwhile")
    done = await command("reembed", "--json", "--drop-old")
    assert done.data == {"before": "fake-384", "after": "fake-other-weights", "memories": 4, "dropped": 1}
    found = await client.tool("memory_search", query="memory number 1", mode="semantic")
    assert (found["degraded"], found["pending"], found["results"][0]["content"]) == (False, 0, "memory number 1")
    assert (await command("reembed")).out == "all memories already have vectors of fake-other-weights\n"


async def test_what_one_engine_refused_another_is_asked_for(
    daemon: FakeDaemon, client: RawClient, command: Command
) -> None:
    """A text that gets no vector is told with what refused it; a later version is asked by itself."""
    await daemon.change(reject={"poison", "worse"})
    await client.tool("memory_store", content="fine")
    poison, worse = [(await client.tool("memory_store", content=text))["id"] for text in ("poison", "worse")]
    queue = (await client.tool("memory_health"))["queue"]
    assert "failed: as told [fake float32 on cpu, memory-mcp" in queue["cause"]
    assert "memory-mcp reembed" in queue["fix"]
    await daemon.change(reject={"worse"}, engine="newer")
    await client.until("memory_get", "embedded", value=True, id=poison)
    assert "[newer float32" in (await client.tool("memory_health"))["queue"]["cause"]
    await daemon.change(reject=set())
    assert (await command("reembed", "--json")).data["memories"] == 1
    assert (await client.tool("memory_get", id=worse))["embedded"]
    assert (await client.tool("memory_health"))["queue"]["state"] == "empty"


async def test_what_is_quarantined_waits(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """It is pending, and not refused for good, whoever asks; later it gets its vector without anybody's doing."""
    await daemon.change(quarantine={"deadly"})
    await client.tool("memory_store", content="fine")
    assert not (await client.tool("memory_store", content="deadly"))["embedded"]
    assert (await client.tool("memory_health"))["queue"]["state"] == "pending"
    assert (await command("reembed")).code == 0
    assert (await client.until("memory_search", "pending", value=1, query="deadly"))["pending"] == 1
    await daemon.change(quarantine=set())
    await client.until("memory_search", "pending", value=0, query="deadly")
    assert (await client.tool("memory_health"))["queue"]["state"] == "empty"


async def test_a_killed_re_embedding_goes_on(
    daemon: FakeDaemon, client: RawClient, command: Command, begin: Started
) -> None:
    """Until it is done the old vectors stay, and what was done is not done again."""
    await client.tool("memory_store_many", items=[{"content": f"memory number {n}"} for n in range(200)])
    await daemon.change(space_id="fake-other-weights")
    process = await begin("reembed", "--share", "0.05")
    seen = len(daemon.texts)
    async with asyncio.timeout(60):
        while len(daemon.texts) - seen < 2 * 64:  # of four batches, one is surely written
            await client.tool("memory_list", limit=1)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await daemon.change(space_id="fake-384")
    found = await client.until("memory_search", "degraded", value=False, query="memory number 7")
    assert found["mode"] == "hybrid"
    await daemon.change(space_id="fake-other-weights")
    done = await command("reembed", "--json")
    assert done.data["memories"] in {72, 136}
    found = await client.tool("memory_search", query="memory number 7", mode="semantic")
    assert found["results"][0]["content"] == "memory number 7"


async def test_the_old_vectors_serve_while_another_daemon_gives_new_ones(
    daemon: FakeDaemon, client: RawClient, begin: Started, environment: dict[str, str], folder: Path
) -> None:
    """The front's own daemon still serves the old model: nothing is missing until the switch."""
    await client.tool("memory_store_many", items=[{"content": f"memory number {n}"} for n in range(200)])
    async with FakeDaemon(folder / "new.sock") as new:
        await new.change(space_id="fake-other-weights")
        environment["MCP_MEMORY_EMBEDDER_ADDRESS"] = f"unix:{folder}/new.sock"
        process = await begin("reembed", "--share", "0.05")
        async with asyncio.timeout(60):
            while len(new.texts) < 2 * 64:  # of four batches, one is surely written
                found = await client.tool("memory_search", query="memory number 7", mode="semantic")
                assert (found["degraded"], found["results"][0]["content"]) == (False, "memory number 7")
        assert await process.wait() == 0
    assert len(daemon.texts) > 200
    assert "another embedding space" in (await client.tool("memory_search", query="memory"))["degraded"]


async def test_a_wrong_file_is_told_with_the_fix(command: Command, client: RawClient, folder: Path) -> None:
    """An export is no backup, a folder that is not there holds no export, a device is replaced by none."""
    await client.tool("memory_store", content="text")
    await command("export", str(folder / "out.jsonl"))
    restored = await command("restore", str(folder / "out.jsonl"))
    assert (restored.code, "memory-mcp import" in restored.err) == (2, True)
    exported = await command("export", str(folder / "no" / "out.jsonl"))
    assert exported.err == (
        f"memory-mcp: cannot write to {folder}/no/out.jsonl (No such file or directory); "
        "name a file in an existing folder\n"
    )
    os.mkfifo(folder / "pipe")
    assert (await command("export", str(folder / "pipe"))).code == 1


@pytest.mark.parametrize("line", ["list --json > /dev/full", "config > /dev/full", "list >&-", "store - <&-"])
async def test_what_cannot_be_written_or_read_is_told(environment: dict[str, str], line: str) -> None:
    """In one line at last, with exit code 1, or 2 where the line itself cannot be."""
    process = await asyncio.create_subprocess_shell(
        f"{FRONT} {line}", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == (2 if "<&-" in line else 1)
    assert err.decode().splitlines()[-1].startswith("memory-mcp: ")
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
    assert b"unexpected" not in err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["--version"], 0),
        (["--debug", "config"], 0),
        (["nonsense"], 2),
        (["daemon", "logs", "--lines", "0"], 2),
        (["get", "nonsense"], 1),
    ],
)
@pytest.mark.parametrize("program", [[str(FRONT)], [sys.executable, "-m", "memory_mcp"]], ids=["program", "module"])
def test_a_python_told_to_inspect_ends_as_any_other(
    environment: dict[str, str], program: list[str], line: list[str], code: int
) -> None:
    """PYTHONINSPECT changes neither the exit code nor what is written, and what went into a pipe arrives."""
    runs = [
        subprocess.run([*program, *line], env=environment | extra, capture_output=True, check=False, timeout=60)
        for extra in ({}, {"PYTHONINSPECT": "1"})
    ]
    usual, inspected = ((run.returncode, run.stdout, run.stderr) for run in runs)
    assert inspected == usual
    assert inspected[0] == code


async def test_what_waits_is_filled_and_counted(daemon: FakeDaemon, command: Command) -> None:
    """Where the model is the same and some memories wait for it, the command says how many it filled."""
    del daemon
    await command("store", "has a vector")
    await command("--set", "embedder_address=unix:/nowhere/e.sock", "store", "waits for one")
    assert (await command("reembed")).out == "re-embedded 1 memories with fake-384\n"
    assert (await command("reembed")).out == "all memories already have vectors of fake-384\n"


async def test_without_a_daemon_re_embedding_says_so(client: RawClient, command: Command) -> None:
    """One line, exit code 1, with what to do, which holds where no daemon was ever installed."""
    await client.tool("memory_store", content="text")
    ended = await command("reembed")
    assert ended.code == 1
    assert "no daemon listens" in ended.err
    assert "memory-mcp daemon install" in ended.err


async def test_an_export_that_fails_leaves_the_last_one(
    client: RawClient, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """What cannot be exported whole replaces nothing, and an export is its owner's alone."""
    await client.tool("memory_store", content="text")
    target = folder / "out.jsonl"
    await command("export", str(target))
    before = target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    (folder / "damaged.db").write_bytes(b"no database" * 100)
    environment["MCP_MEMORY_SQLITE_PATH"] = str(folder / "damaged.db")
    assert (await command("export", str(target), "--force")).code == 1
    assert target.read_bytes() == before
    assert [file.name for file in folder.iterdir() if "jsonl" in file.name] == ["out.jsonl"]


async def test_commands_that_write_are_refused_where_nothing_may(
    client: RawClient, command: Command, environment: dict[str, str], folder: Path
) -> None:
    """MCP_MEMORY_READ_ONLY is for the command line too; backing up and exporting are no writes."""
    await client.tool("memory_store", content="text")
    environment["MCP_MEMORY_READ_ONLY"] = "1"
    backup = Path((await command("backup", "--json")).data["path"])
    assert (await command("export", str(folder / "out.jsonl"))).code == 0
    for arguments in (["restore", str(backup)], ["import", f"{folder}/out.jsonl"], ["undelete", "x"], ["reembed"]):
        ended = await command(*arguments)
        assert (ended.code, "MCP_MEMORY_READ_ONLY" in ended.err) == (2, True)


async def test_what_stands_before_the_cut_is_imported(
    client: RawClient, command: Command, folder: Path, environment: dict[str, str]
) -> None:
    """A file that was cut: the memories before are in the store, as the sentence says."""
    for number in range(3):
        await client.tool("memory_store", content=f"memory {number}", id=f"m{number}")
    await command("export", str(folder / "out.jsonl"))
    *whole, _ = (folder / "out.jsonl").read_text().splitlines(keepends=True)
    (folder / "cut.jsonl").write_text("".join(whole))
    environment["MCP_MEMORY_SQLITE_PATH"] = str(folder / "other.db")
    assert (await command("import", str(folder / "cut.jsonl"))).code == 1
    assert (await command("import", str(folder / "out.jsonl"), "--json")).data["known"] == 3
