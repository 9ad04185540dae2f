"""`memory-mcp import --from` OpenMemory, claude-mem and engram, as a process; on their own files where these are."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon
from tests.fakes.peer_databases import CLAUDE_MEM, ENGRAM, OPENMEMORY, PeerDatabase
from tests.front.documents.reading import DOCUMENTS

IMPORTS = DOCUMENTS.parent / "imports"
AT = "2024-05-06 07:08:09"


@dataclass(frozen=True)
class Usual:
    """A peer's database in its usual place, with one memory."""

    peer: str
    place: str
    schema: str
    row: tuple[str, Json]
    namespace: str


USUAL = (
    Usual(
        "openmemory",
        "src/mem0/openmemory/api/openmemory.db",
        OPENMEMORY,
        ("memories", {"id": "1", "user_id": "a0", "app_id": "c0", "state": "active", "updated_at": AT}),
        "mari",
    ),
    Usual(
        "claude-mem",
        ".claude-mem/claude-mem.db",
        CLAUDE_MEM,
        (
            "observations",
            {"memory_session_id": "m", "project": "boat", "type": "t", "created_at_epoch": 1_714_979_289_000},
        ),
        "boat",
    ),
    Usual(
        "engram",
        ".engram/engram.db",
        ENGRAM,
        ("observations", {"session_id": "s1", "project": "boat", "type": "t", "title": "T", "updated_at": AT}),
        "boat",
    ),
)


@pytest.fixture(params=USUAL, ids=lambda usual: usual.peer)
def usual(request: pytest.FixtureRequest, folder: Path) -> Iterator[Usual]:
    """Make the database where its program keeps it, in use."""
    chosen: Usual = request.param
    database = PeerDatabase(folder / chosen.place, chosen.schema)
    table, columns = chosen.row
    content = "narrative" if chosen.peer == "claude-mem" else "content"
    database.add(table, created_at=AT, **columns, **{content: "Likes tea"})
    yield chosen
    database.close()


async def test_a_memory_comes_once(usual: Usual, command: Command, daemon: FakeDaemon) -> None:
    """From the usual place, out of the log of the database; a second run finds it."""
    del daemon
    moved = await command("import", "--from", usual.peer, "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 1, []), moved.err
    (memory,) = (await command("list", "--namespace", usual.namespace, "--json")).data["memories"]
    assert (memory["content"], memory["created_at"]) == ("Likes tea", "2024-05-06T07:08:09Z")
    again = await command("import", "--from", usual.peer, "--json")
    assert (again.code, again.data["created"], again.data["known"]) == (0, 0, 1)


async def test_the_zone_of_an_export_can_be_told(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Its zip takes the times, which are in UTC, for those of the machine that made it."""
    del daemon
    user, shown = {"id": "a-0", "user_id": "mari"}, "2024-07-02T08:04:00+00:00"
    memory = {"id": "0-1", "user_id": "a-0", "content": "Likes tea", "state": "active", "created_at": shown}
    with zipfile.ZipFile(folder / "export.zip", "w") as packed:
        packed.writestr("memories.json", json.dumps({"user": user, "memories": [memory]}))
        packed.writestr("memories.jsonl.gz", b"")
    source = ("--from", "openmemory", str(folder / "export.zip"), "--source-tz", "America/Chicago")
    moved = await command("import", *source, "--json")
    assert (moved.code, moved.data["created"]) == (0, 1), moved.err
    assert (await command("get", "01", "--json")).data["created_at"] == "2024-07-02T03:04:00Z"


REAL = pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")


def packed(peer: str, name: str, folder: Path) -> str:
    """Unpack an archive of a peer's; return the folder."""
    with tarfile.open(IMPORTS / peer / f"{name}.tar.gz") as archive:
        archive.extractall(folder / name, filter="data")
    return str(folder / name)


@REAL
@pytest.mark.parametrize(
    ("peer", "name", "more", "live"),
    [
        ("openmemory", "openmemory-db", (), 57),  # 54 that are active, and 3 that are not, with a tag
        ("claude-mem", "claude-mem-13.25.3", (), 58),
        ("claude-mem", "claude-mem-live-wal", ("--also", "prompts"), 71),
        ("engram", "engram-db", (), 54),
        ("engram", "engram-live-wal", ("--also", "summaries"), 70),
    ],
)
async def test_real_files(
    command: Command, folder: Path, peer: str, name: str, more: tuple[str, ...], live: int
) -> None:
    """Counts, spot checks, and what must not be live, of the manifest."""
    moved = (await command("import", "--from", peer, packed(peer, name, folder), *more, "--json")).data
    manifest = json.loads((IMPORTS / peer / "manifest.json").read_text())
    assert (moved["live"], moved["created"], moved["skipped"], moved["differences"]) == (live, live, [], [])
    assert moved["deleted"] == manifest["deleted"]
    everything = [json.loads(line) for line in (await command("export")).out.splitlines()[1:-1]]
    by_source = {memory["metadata"]["import"]["source_id"]: memory for memory in everything}
    for spot in manifest["spot_checks"]:
        check(spot, by_source[spot["source_id"]])
    assert not set(manifest["must_not_be_live"]) & {memory["content"] for memory in everything}


def check(spot: Json, memory: Json) -> None:
    """Compare a memory with what the manifest says of it."""
    assert spot["content_contains"] in memory["content"]
    assert len(memory["content"]) == spot["content_length"]
    assert sorted(memory["tags"]) == sorted(spot["tags"])
    assert memory["namespace"] == spot.get("namespace", "default")
    assert memory["conversation_id"] == spot.get("conversation_id")
    assert memory["type"] == spot.get("type", "note")
    for name in ("created_at", "updated_at"):
        assert name not in spot or datetime.fromisoformat(memory[name]) == datetime.fromisoformat(spot[name])
    if isinstance(spot["metadata"], dict):
        wanted = {name: value for name, value in spot["metadata"].items() if value is not None}
        assert wanted.items() <= memory["metadata"].items()


@REAL
@pytest.mark.parametrize(
    ("peer", "database", "exported", "known"),
    [
        ("openmemory", "openmemory-db", "memories_export_mari.zip", 56),
        ("engram", "engram-db", "engram-export.json", 54),
    ],
)
async def test_an_export_is_known_after_its_database(
    command: Command, folder: Path, peer: str, database: str, exported: str, known: int
) -> None:
    """The ids do not depend on the form."""
    await command("import", "--from", peer, packed(peer, database, folder))
    moved = (await command("import", "--from", peer, str(IMPORTS / peer / exported), "--json")).data
    assert (moved["created"], moved["known"], moved["differences"], moved["conflicts"]) == (0, known, [], [])
