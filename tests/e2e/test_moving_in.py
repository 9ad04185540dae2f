"""`memory-mcp import --from`, as a process, on files as the other systems write them, in use while they are read."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon
from tests.fakes.peers import MemoryService
from tests.front.documents.reading import DOCUMENTS

PEER = ("--from", "mcp-memory-service")
IMPORTS = DOCUMENTS.parent / "imports"
FILES = IMPORTS / "mcp-memory-service"


@pytest.fixture
def service(folder: Path) -> Iterator[MemoryService]:
    """Make a database where mcp-memory-service has its own, with a bit of everything."""
    made = MemoryService(folder / ".local/share/mcp-memory/sqlite_vec.db")
    noise = {"access_count": 3, "access_queries": [{"query": "a secret question"}], "quality_score": 0.5}
    made.add(
        "key", "The key lies under the mat", {"room": "hall", **noise}, tags="home, untagged,Keys", memory_type="fact"
    )
    made.add("old", "Likes tea", created_at=1.6e9, updated_at=1.6e9, superseded_by="mid")
    made.add("mid", "Likes green tea", created_at=1.65e9, updated_at=1.65e9, superseded_by="new")
    made.add("new", "Likes coffee", {"import": "mine", "conversation_id": "chat"}, store="work")
    made.add("gone", "Wrong", deleted_at=1.7e9)
    made.add("empty", "")
    made.add(
        "bytes", b"caf\xe9 open", "[1]", created_at=None, updated_at=None, created_at_iso="2024-05-06T07:08:09+02:00"
    )
    yield made
    made.close()


def digests(folder: Path) -> dict[str, str]:
    """Return what lies in a folder."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


async def test_a_plan_says_what_would_happen(service: MemoryService, command: Command, folder: Path) -> None:
    """Nothing is stored, and the source stays as it is; it is found where its program keeps it."""
    before = digests(service.path.parent)
    planned = await command("import", *PEER, "--dry-run", "--json")
    assert planned.code == 0, planned.err
    plan = planned.data
    assert (plan["live"], plan["deleted"], plan["versions"], plan["taken"]) == (4, 1, 2, 3)
    assert plan["skipped"] == [{"source_id": "empty", "why": "content: String should have at least 1 character"}]
    said = {remark["what"]: remark["source_ids"] for remark in plan["remarks"]}
    assert said["bytes that are not UTF-8 were replaced"] == said["its metadata is no JSON object"] == ["bytes"]
    records = {(record["id"], record["namespace"], record["state"], record["taken"]) for record in plan["records"]}
    assert records == {
        ("key", "default", "live", True),
        ("bytes", "default", "live", True),
        ("new", "work", "live", True),
        ("gone", "default", "deleted", False),
    }
    assert next(record["versions"] for record in plan["records"] if record["id"] == "new") == 2
    shown = (await command("import", *PEER, "--dry-run")).out.splitlines()
    assert "deleted, left out: gone" in shown
    assert "3 memories to import, 2 earlier versions; 1 deleted, left out" in shown
    assert "into the namespace work: 1 memory" in shown
    assert "lost: bytes that are not UTF-8 were replaced (bytes)" in shown
    assert "secret" not in planned.out
    assert digests(service.path.parent) == before
    assert not (folder / "memory.db").exists()


async def test_memories_arrive_as_they_were(service: MemoryService, command: Command, daemon: FakeDaemon) -> None:
    """With times, tags, type, namespace, conversation and history; a second run finds them all."""
    del daemon
    moved = await command("import", *PEER, "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 3, []), moved.err
    key = (await command("get", "key", "--json")).data
    assert (key["content"], key["tags"], key["type"]) == ("The key lies under the mat", ["Keys", "home"], "fact")
    assert key["created_at"] == "2023-11-14T22:13:20.250000Z"
    assert key["metadata"].keys() == {"room", "import"}
    there = (await command("list", "--namespace", "work", "--json")).data["memories"]
    assert [memory["id"] for memory in there] == ["new"]
    new = (await command("get", "new", "--history", "--json")).data
    assert [was["content"] for was in new["revisions"]] == ["Likes tea", "Likes green tea"]
    assert (new["content"], new["conversation_id"]) == ("Likes coffee", "chat")
    assert new["metadata"]["import"]["raw"] == "mine"
    odd = (await command("get", "bytes", "--json")).data
    assert (odd["content"], odd["created_at"]) == ("caf\N{REPLACEMENT CHARACTER} open", "2024-05-06T05:08:09Z")
    again = await command("import", *PEER, "--json")
    assert (again.code, again.data["created"], again.data["known"]) == (0, 0, 3)
    assert again.data["run"] is None
    assert f"import --undo {moved.data['run']}" in moved.err
    assert "--undo" not in again.err


async def test_a_run_can_be_undone(service: MemoryService, command: Command, daemon: FakeDaemon) -> None:
    """What was edited since stays, and is named."""
    del daemon
    await command("store", "mine", "--id", "mine")
    moved = await command("import", *PEER, "--with-deleted", "--json")
    assert moved.data["created"] == 4
    assert (await command("get", "gone", "--json")).data["tags"] == ["deleted"]
    await command("update", "key", "--content", "The key hangs in the hall")
    merged = await command("store", "caf\N{REPLACEMENT CHARACTER} open", "--tag", "more", "--json")
    assert merged.data["id"] == "bytes"
    undone = await command("import", "--undo", moved.data["run"], "--json")
    assert (sorted(undone.data["deleted"]), sorted(undone.data["edited"])) == (["gone", "new"], ["bytes", "key"])
    listed = await command("list", "--json")
    assert {memory["id"] for memory in listed.data["memories"]} == {"mine", "bytes", "key"}
    missing = await command("import", "--undo", "nosuchrun")
    assert (missing.code, missing.out, missing.err.count("\n")) == (1, "", 1)
    assert "no memory here is of a run 'nosuchrun'" in missing.err


@pytest.mark.parametrize(
    "asked",
    [
        ("--undo", "RUN", "--dry-run"),
        ("--undo", "RUN", *PEER),
        ("--undo", "RUN", "FILE"),
        ("FILE", "--dry-run"),
        ("FILE", "--with-deleted"),
    ],
)
async def test_no_option_is_passed_over(
    service: MemoryService, command: Command, daemon: FakeDaemon, folder: Path, asked: tuple[str, ...]
) -> None:
    """Least of all --dry-run: what was to be tried only is not done."""
    del daemon
    moved = await command("import", *PEER, "--json")
    export = await command("export")
    (folder / "export.jsonl").write_text(export.out, encoding="utf-8")
    await command("delete", "key")
    said = {"RUN": moved.data["run"], "FILE": str(folder / "export.jsonl")}
    refused = await command("import", *(said.get(word, word) for word in asked))
    assert (refused.code, refused.out) == (2, "")
    assert [memory["id"] for memory in (await command("list", "--json")).data["memories"]] == ["bytes"]


async def test_what_was_changed_here_is_a_difference(
    service: MemoryService, command: Command, daemon: FakeDaemon
) -> None:
    """The second run names it once, leaves it alone, and says how to have it as it is there."""
    del daemon
    await command("import", *PEER)
    await command("update", "bytes", "--tag", "more")
    tagged = await command("import", *PEER, "--json")
    assert (tagged.code, tagged.data["conflicts"]) == (1, [])
    assert tagged.data["differences"] == ["bytes: it differs in tags, updated_at, revision, history"]
    await command("update", "key", "--type", "plan")
    again = await command("import", *PEER, "--json")
    assert again.code == 1
    (conflict,) = again.data["conflicts"]
    assert conflict.endswith("left as it is; to take it anew: memory-mcp delete key, then import with --again")
    assert not [line for line in again.data["differences"] if line.startswith("key")]  # it is told once
    assert (await command("get", "key", "--json")).data["type"] == "plan"
    await command("delete", "key", "--yes")
    deleted = (await command("import", *PEER, "--json")).data["conflicts"]
    assert [line.rpartition("; ")[2] for line in deleted] == ["importing with --again takes it once more"]
    await command("import", *PEER, "--again")
    assert (await command("get", "key", "--json")).data["type"] == "fact"


async def test_what_is_deleted_there_later_is_named(
    service: MemoryService, command: Command, daemon: FakeDaemon
) -> None:
    """It stays live here, whether deleted records are asked for or not, and is neither conflict nor difference."""
    del daemon
    assert (await command("import", *PEER, "--json")).data["deleted_there"] == []
    service.delete("key")
    for more, created in (((), 0), (("--with-deleted",), 1), (("--with-deleted",), 0)):
        again = await command("import", *PEER, *more, "--json")
        assert (again.code, again.data["created"], again.data["deleted_there"]) == (0, created, ["key"]), again.out
    assert (await command("get", "key", "--json")).data["tags"] == ["Keys", "home"]
    shown = await command("import", *PEER)
    assert "deleted there since, still live here; memory-mcp delete takes ids: key\n" in shown.out


async def test_what_cannot_be_read_is_one_line(command: Command, folder: Path) -> None:
    """No file, another file, a damaged one; nothing is stored."""
    missing = await command("import", *PEER)
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert missing.err.startswith("memory-mcp: mcp-memory-service has nothing at ")
    (folder / "not.db").write_bytes(b"no database at all" * 100)
    wrong = await command("import", *PEER, str(folder / "not.db"))
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
    assert "no intact SQLite database" in wrong.err
    assert not (folder / "memory.db").exists()
    nothing = await command("import")  # it reads what is piped to it
    assert (nothing.code, nothing.out, "is not the header of an export" in nothing.err) == (1, "", True)


@pytest.mark.skipif(not FILES.exists(), reason="the shared files of other systems are not here")
@pytest.mark.parametrize(
    ("archive", "live", "deleted"),
    [("v12.4.0", 57, 4), ("v12.4.0-live-wal", 57, 4), ("v10.10.0", 56, 4), ("v8.24.0", 56, 0)],
)
async def test_real_files(command: Command, folder: Path, archive: str, live: int, deleted: int) -> None:
    """Counts, spot checks, and what must not be live, of the manifest."""
    with tarfile.open(FILES / f"{archive}.tar.gz") as packed:
        packed.extractall(folder / "peer", filter="data")
    moved = await command("import", *PEER, str(folder / "peer/sqlite_vec.db"), "--json")
    data = moved.data
    assert (data["live"], data["deleted"], data["created"], data["differences"]) == (live, deleted, live, [])
    if archive == "v12.4.0":
        await _check(json.loads((FILES / "manifest.json").read_text()), command)


async def _check(manifest: Json, command: Command) -> None:
    for spot in manifest["spot_checks"]:
        memory = (await command("get", spot["source_id"], "--json")).data
        assert spot["content_contains"] in memory["content"]
        assert len(memory["content"]) == spot["content_length"]
        assert (sorted(memory["tags"]), memory["type"]) == (sorted(spot["tags"]), spot["type"])
        assert memory["created_at"].replace("Z", "+00:00") == spot["created_at"]
        assert memory["conversation_id"] == spot.get("conversation_id")
        assert {name: value for name, value in memory["metadata"].items() if name != "import"} == spot["metadata"]
    everything = await command("export")
    live = [json.loads(line)["content"] for line in everything.out.splitlines()[1:-1]]
    assert not set(manifest["must_not_be_live"]) & set(live)


AMINA = {"type": "entity", "name": "Amina", "entityType": "person", "observations": ["lives in Set\u00fabal"]}
BO = {"type": "entity", "name": "Bo", "entityType": "", "observations": ["sails", "sings"]}
BACK = {**BO, "observations": ["sings", "sails"]}
KNOWS = {"type": "relation", "from": "Bo", "to": "Amina", "relationType": "knows"}
GRAPH = f'{json.dumps(AMINA)}{json.dumps(BO)}\n{json.dumps(KNOWS)}\n{{"type":"entity","name":"Cut off","entityT\n'


async def test_a_graph_becomes_memories(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Of server-memory, found in npx's cache: an observation each, and relations; a damaged line costs itself."""
    del daemon
    dist = folder / ".npm/_npx/1a2b/node_modules/@modelcontextprotocol/server-memory/dist"
    dist.mkdir(parents=True)
    (dist / "memory.jsonl").write_text(GRAPH, encoding="utf-8")
    moved = await command("import", "--from", "server-memory", "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 4, []), moved.err
    assert [skipped["source_id"] for skipped in moved.data["skipped"]] == ["line 3"]
    memories = (await command("list", "--json")).data["memories"]
    told = {memory["content"]: (memory["tags"], memory["type"]) for memory in memories}
    assert told == {
        "Amina: lives in Set\u00fabal": (["Amina"], "person"),
        "sails": (["Bo"], "note"),
        "sings": (["Bo"], "note"),
        "Bo: knows Amina": (["Bo"], "note"),
    }
    assert (await command("import", "--from", "server-memory", "--json")).data["known"] == 4
    grown = [{**AMINA, "observations": [*AMINA["observations"], "has a boat"]}, BACK, {**KNOWS, "from": "Amina"}, KNOWS]
    (dist / "memory.jsonl").write_text("\n".join(map(json.dumps, grown)), encoding="utf-8")
    later = await command("import", "--from", "server-memory", "--json")
    assert (later.code, later.data["created"], later.data["known"]) == (0, 3, 3), later.out


async def test_several_places_are_named(command: Command, folder: Path) -> None:
    """The newest first, and none is taken: another may hold more."""
    files = []
    for number, cache in enumerate(("old", "new")):
        dist = folder / f".npm/_npx/{cache}/node_modules/@modelcontextprotocol/server-memory/dist"
        dist.mkdir(parents=True)
        (dist / "memory.jsonl").write_text(GRAPH, encoding="utf-8")
        os.utime(dist / "memory.jsonl", (1e9 + number, 1e9 + number))
        files.append(str(dist / "memory.jsonl"))
    refused = await command("import", "--from", "server-memory", "--dry-run")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert refused.err.endswith(f"newest first: {files[1]}, {files[0]}\n")


@pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")
@pytest.mark.parametrize("name", ["memory.jsonl", "memory-damaged.jsonl"])
async def test_real_graphs(command: Command, name: str) -> None:
    """Counts and spot checks of the manifest; two lines that ran together are two, and one that was cut is named."""
    manifest = json.loads((IMPORTS / "server-memory/manifest.json").read_text())
    moved = await command("import", "--from", "server-memory", str(IMPORTS / "server-memory" / name), "--json")
    assert (moved.data["created"], moved.data["differences"]) == (manifest["live"], [])
    assert len(moved.data["skipped"]) == (name == "memory-damaged.jsonl")
    everything = [json.loads(line) for line in (await command("export")).out.splitlines()[1:-1]]
    by_source = {memory["metadata"]["import"]["source_id"]: memory for memory in everything}
    for spot in manifest["spot_checks"]:
        memory = by_source[spot["source_id"]]
        assert spot["content_contains"] in memory["content"]
        assert (len(memory["content"]), memory["tags"]) == (spot["content_length"], spot["tags"])
        assert (memory["type"], memory["metadata"]["entity"]) == (spot["type"], spot["metadata"]["entity"])
