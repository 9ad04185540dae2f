"""`memory-mcp import --from` Chroma, MemPalace, mcp-server-qdrant and mem0, on files as they write them."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon
from tests.fakes.vector_peers import Chroma, knowledge_graph, mem0_history, nested, point, qdrant_collection
from tests.front.documents.reading import DOCUMENTS

IMPORTS = DOCUMENTS.parent / "imports"
ALLERGY = "2be1c9a0-7d97-4c83-9186-5dc317e08c5f"
TEA = "a05b7d28-be2e-49ad-8dd6-c7a9d3550b52"


async def moved(command: Command, peer: str, path: Path, *more: str) -> tuple[Json, dict[str, Json]]:
    """Import; check that nothing differs, and that a second run knows it all; return the outcome and the memories."""
    first = await command("import", "--from", peer, str(path), "--json", *more)
    assert (first.code, first.data["differences"], first.data["conflicts"]) == (0, [], []), first.err
    again = (await command("import", "--from", peer, str(path), "--json", *more)).data
    assert (again["created"], again["known"]) == (0, first.data["created"])
    exported = [json.loads(line) for line in (await command("export")).out.splitlines()[1:-1]]
    return first.data, {memory["metadata"]["import"]["source_id"]: memory for memory in exported}


def own(memory: Json) -> Json:
    """Return the metadata that is the user's."""
    return {key: value for key, value in memory["metadata"].items() if key != "import"}


@pytest.mark.parametrize("is_old", [False, True], ids=["1.5", "0.6"])
async def test_collections_of_chroma(command: Command, folder: Path, daemon: FakeDaemon, *, is_old: bool) -> None:
    """Every habit of tags and times; the same id in two collections; the log counts, as it is in use."""
    del daemon
    chroma = Chroma(folder / "data/chroma.sqlite3", is_old)
    at = "2024-03-01 00:00:05"
    chroma.add(
        "mine", "tea", at, "Prefers Assam", tags="drinks, hot,", type="preference", created_at="2024-01-15T08:05+01:00"
    )
    chroma.add(
        "mine", "json", at, "A list in JSON", tags='["a, b", "c"]', category="note", timestamp=1_709_251_199_500, n=0
    )
    chroma.add("mine", "keys", at, "Keys are tags", tag_rail=True, tag_no=False, timestamp=1_709_251_199.5, ok=True)
    chroma.add("mine", "date", at, "A day", date="2026-02-03", conversation_id="chat", turn=5, updated_at="soon")
    chroma.add("mine", "bytes", at, b"caf\xe9", note="2024")
    chroma.add("mine", "bare", at, None)
    chroma.add("other", "tea", at, "Another tea", timestamp=12)
    if not is_old:
        chroma.add("other", "list", at, "A list", tags=["x", "y"])
        chroma.queue("other")
    outcome, _ = await moved(command, "chroma", folder / "data")
    assert [skipped["source_id"] for skipped in outcome["skipped"]] == ["bare"]
    assert any("queue" in remark["what"] for remark in outcome["remarks"]) != is_old
    found = [json.loads(line) for line in (await command("export")).out.splitlines()[1:-1]]
    told = {(m["namespace"], m["content"]): (set(m["tags"]), m["type"], m["created_at"], own(m)) for m in found}
    assert told == {
        ("mine", "Prefers Assam"): ({"drinks", "hot"}, "preference", "2024-01-15T07:05:00+00:00", {}),
        ("mine", "A list in JSON"): ({"a, b", "c"}, "note", "2024-02-29T23:59:59.500000+00:00", {"n": 0}),
        ("mine", "Keys are tags"): (
            {"rail"},
            "note",
            "2024-02-29T23:59:59.500000+00:00",
            {"ok": True, "tag_no": False},
        ),
        ("mine", "A day"): (set(), "note", "2026-02-03T00:00:00+00:00", {"turn": 5, "updated_at": "soon"}),
        ("mine", "caf\N{REPLACEMENT CHARACTER}"): (set(), "note", "2024-03-01T00:00:05+00:00", {"note": "2024"}),
        ("other", "Another tea"): (set(), "note", "2024-03-01T00:00:05+00:00", {"timestamp": 12}),
        **({} if is_old else {("other", "A list"): ({"x", "y"}, "note", "2024-03-01T00:00:05+00:00", {})}),
    }
    chroma.close()


async def test_a_palace(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Chunks are joined, closets left out, and local times read by those that Chroma gave the same rows."""
    del daemon
    chroma = Chroma(folder / ".mempalace/palace/chroma.sqlite3")

    def drawer(name: str, at: str, filed: str, text: str, **more: str | int) -> None:
        fields: dict[str, str | int] = {
            "wing": "home",
            "room": "fact",
            "filed_at": filed,
            "last_modified": filed,
            "source_file": "",
        }
        chroma.add("mempalace_drawers", name, at, text, **{**fields, **more})

    for number in (11, 2, *range(2), *range(3, 11)):
        drawer(
            f"d_chunk_{number:06}",
            "2024-07-01 04:00:01",
            "2024-07-01T00:00:00.5",
            f"{number} ",
            chunk_index=number,
            parent_drawer_id="d",
        )
    drawer(
        "winter",
        "2024-01-15 13:30:04",
        "2024-01-15T08:30:00",
        "Moved in",
        last_modified="2024-06-30T08:00:00",
        added_by="mcp",
    )
    drawer("repaired", "2026-11-01 00:00:00", "2024-01-16T08:30:00", "Filed long ago")
    drawer(
        "mined",
        "2024-07-02 04:00:01",
        "2024-07-02T00:00:00",
        "A line",
        chunk_index=3,
        chunk_total=4,
        source_file="/a.md",
        wing="talks",
    )
    chroma.add("mempalace_closets", "closet", "2024-07-01 04:00:01", "an index")
    knowledge_graph(
        folder / ".mempalace/knowledge_graph.sqlite3",
        ("t1", "Mari", "works_at", "Lighthouse", "2024-01-15", "2025-01-10", "2024-01-15 08:00:00"),
    )
    home, (outcome, by_source) = (
        folder / ".mempalace",
        await moved(command, "mempalace", folder / ".mempalace", "--source-tz", "Asia/Tokyo"),
    )
    assert (outcome["created"], by_source["d"]["content"]) == (5, "".join(f"{number} " for number in range(12)))
    assert by_source["d"]["created_at"] == "2024-07-01T04:00:00.500000+00:00"
    winter = by_source["winter"]
    assert (winter["created_at"], winter["updated_at"]) == ("2024-01-15T13:30:00+00:00", "2024-06-30T12:00:00+00:00")
    assert (set(winter["tags"]), winter["type"], own(winter)) == ({"home", "fact"}, "fact", {"added_by": "mcp"})
    assert by_source["repaired"]["created_at"] == "2024-01-15T23:30:00+00:00"
    assert (by_source["mined"]["type"], own(by_source["mined"])) == (
        "chunk",
        {"chunk_index": 3, "source_file": "/a.md"},
    )
    fact = by_source["t1"]
    assert (fact["content"], fact["type"]) == (
        "Mari works at Lighthouse (2024-01-15 \N{EN DASH} 2025-01-10)",
        "relation",
    )
    chroma.close()
    (home / "backup").mkdir()
    (home / "palace/chroma.sqlite3").rename(home / "backup/chroma.sqlite3")
    Chroma(home / "palace/chroma.sqlite3").close()
    several = await command("import", "--from", "mempalace", str(home))
    assert (several.code, "several palaces" in several.err) == (1, True)


class Hostile:
    """A pickle that would run a program."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Return a call of the shell."""
        return os.system, (f"touch {self.marker}",)


async def test_points_of_a_server(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """A point has its id, document and metadata; a pickle of anything else is refused, and costs itself."""
    del daemon
    loop: list[object] = []
    loop.append(loop)
    qdrant_collection(
        folder / "store",
        "mine",
        point(
            ALLERGY,
            {
                "document": "Hazelnuts",
                "metadata": {"tags": ["health"], "created_at": "2023-08-08T08:08:08+00:00", "big": 1 << 60},
            },
        ),
        point(7, {"document": "Numbered", "metadata": None}),
        nested(700, point(TEA, {"document": "Deep", "metadata": {"deep": "LISTS"}})),
        nested(250, point(TEA, {"document": "Less deep", "metadata": {"deep": "LISTS"}})),
        point(TEA, {"document": "Half a pair", "metadata": {"half": "\ud800"}}),
        nested(5000, point(TEA, {"document": "Deeper", "metadata": {"deep": "LISTS"}})),
        point(TEA, {"document": "Round", "metadata": {"loop": loop}}),
        point(12, {"document": "Foreign"}, module="builtins"),
        pickle.dumps(Hostile(folder / "marker")),
        b"no pickle",
    )
    outcome, by_source = await moved(command, "mcp-server-qdrant", folder / "store", "--source-tz", "UTC")
    assert (outcome["created"], len(outcome["skipped"])) == (3, 7)  # half a character is replaced
    assert not (folder / "marker").exists()
    allergy = by_source[ALLERGY]
    assert (allergy["id"], allergy["namespace"], allergy["tags"], own(allergy)) == (
        ALLERGY,
        "mine",
        ["health"],
        {"big": 1 << 60},
    )
    assert (allergy["created_at"], by_source["7"]["content"]) == ("2023-08-08T08:08:08+00:00", "Numbered")


async def test_a_store_in_use_is_refused(command: Command, folder: Path) -> None:
    """Its program holds a lock; the file of the lock stays when it ends."""
    qdrant_collection(folder / "store", "mine", point(ALLERGY, {"document": "Hazelnuts"}))
    plan = ("import", "--from", "mcp-server-qdrant", str(folder / "store"), "--dry-run")
    with (folder / "store/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        used = await command(*plan)
    assert (used.code, used.out) == (1, "")
    assert "close it and try again" in used.err
    assert (await command(*plan)).code == 0


async def test_mem0_with_its_history(
    command: Command, folder: Path, environment: dict[str, str], daemon: FakeDaemon
) -> None:
    """Users are namespaces, earlier texts the history; what is deleted, and its own bookkeeping, stays away."""
    del daemon
    payload = {
        "data": "Hazelnuts and sesame",
        "user_id": "mari",
        "run_id": "chat",
        "role": "user",
        "hash": "x",
        "tags": ["health"],
        "room": 1,
    }
    times = {"created_at": "2025-01-01T08:00:00-08:00", "updated_at": "2025-03-01T08:00:00-08:00"}
    folders = folder / "mem0"
    qdrant_collection(
        folders / "qdrant", "mem0", point(ALLERGY, payload | times), point("no-text", {"user_id": "mari"})
    )
    qdrant_collection(
        folders / "migrations_qdrant", "mem0migrations", point("m-1", {"user_id": "x", "data": "no memory"})
    )
    created, deleted = times["created_at"], "2025-05-01T08:00:00-08:00"
    mem0_history(
        folders / "history.db",
        (ALLERGY, None, "Nuts", "ADD", created, created),
        ("gone-1", None, "Wrong", "ADD", created, created),
        (ALLERGY, "Nuts", "Hazelnuts", "UPDATE", created, "2025-02-01T08:00:00-08:00"),
        (ALLERGY, "Hazelnuts", "Hazelnuts and sesame", "UPDATE", created, times["updated_at"]),
        ("gone-1", "Wrong", None, "DELETE", created, deleted),
    )
    outcome, by_source = await moved(command, "mem0", folders)
    assert (outcome["created"], outcome["deleted"], outcome["versions"]) == (1, 1, 2)
    memory = by_source[ALLERGY]
    assert (memory["namespace"], memory["conversation_id"], own(memory)) == ("mari", "chat", {"room": 1})
    assert memory["metadata"]["import"]["raw"] == {"user_id": "mari", "role": "user"}
    assert [(was["content"], was["updated_at"]) for was in memory["revisions"]] == [
        ("Nuts", "2025-01-01T16:00:00+00:00"),
        ("Hazelnuts", "2025-02-01T16:00:00+00:00"),
    ]
    assert (memory["created_at"], memory["updated_at"]) == ("2025-01-01T16:00:00+00:00", "2025-03-01T16:00:00+00:00")
    alone = (
        await command("import", "--from", "mem0", str(folders / "history.db"), "--with-deleted", "--dry-run", "--json")
    ).data
    assert (alone["live"], alone["deleted"], alone["versions"], alone["taken"]) == (1, 1, 2, 2)
    folders.rename(folder / ".mem0")  # where they are by default
    (folder / ".mem0/qdrant").rename(folder / "qdrant")
    environment["TMPDIR"] = str(folder)
    usual = (await command("import", "--from", "mem0", "--with-deleted", "--dry-run", "--json")).data
    assert (usual["taken"], usual["deleted"], usual["namespaces"]) == (2, 1, {"mari": 1, "default": 1})
    (folder / "get_all.json").write_text(
        json.dumps({"memories": [{"id": "j-1", "memory": "Sings", "user_id": "bo", **times}]})
    )
    platform = await command("import", "--from", "mem0", str(folder / "get_all.json"), "--json")
    assert platform.data["created"] == 1


REAL = [
    ("chroma", "chroma-1.5.9", 56, 0),
    ("chroma", "chroma-1.5.9-live", 56, 0),
    ("mempalace", "home-mempalace-3.11.0", 69 + 4, 0),  # with the facts, which the manifest leaves out
    ("mempalace", "palace-live", 69, 0),
    ("mempalace", "home-mempalace-3.0.0-chroma-0.6.3", 49 + 1, 0),
    ("mcp-server-qdrant", "qdrant-local-1.20", 64, 0),
    ("mem0", "mem0-2.2.1-qdrant", 56, 4),
]


@pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")
@pytest.mark.parametrize(("peer", "archive", "live", "deleted"), REAL)
async def test_real_stores(
    command: Command, daemon: FakeDaemon, peer: str, archive: str, live: int, deleted: int
) -> None:
    """Counts, spot checks, and what must not be live, of the manifests; read from the archives themselves."""
    del daemon
    manifest = json.loads((IMPORTS / peer / "manifest.json").read_text())
    outcome, by_source = await moved(command, peer, IMPORTS / peer / f"{archive}.tar.gz")
    assert (outcome["live"], outcome["deleted"], outcome["created"], outcome["skipped"]) == (live, deleted, live, [])
    assert not set(manifest["must_not_be_live"]) & {memory["content"] for memory in by_source.values()}
    if "3.0.0" not in archive:  # the manifest's checks are of the later version
        for spot in manifest["spot_checks"]:
            _check(spot, by_source[spot["source_id"]], peer)


def _check(spot: Json, memory: Json, peer: str) -> None:
    assert spot["content_contains"] in memory["content"]
    assert (len(memory["content"]), set(memory["tags"])) == (spot["content_length"], set(spot["tags"]))
    for field in {"type", "created_at", "updated_at", "namespace", "conversation_id"} & spot.keys():
        assert memory[field] == spot[field]
    wanted, held = spot.get("metadata", {}), own(memory)
    if peer == "mempalace":  # the manifest names some
        held = {key: held.get(key) for key in wanted}
    assert held == wanted
