"""`memory-mcp import --from` basic-memory, Obsidian and Claude Code, as a process, on folders of Markdown."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes import basic_memory
from tests.fakes.daemon import FakeDaemon
from tests.front.documents.reading import DOCUMENTS

IMPORTS = DOCUMENTS.parent / "imports"
MTIME = 1_700_000_000
"""2023-11-14T22:13:20Z."""
FACT = """\
---
tags: Home, keys
created: 2025-07-09 21:21
modified: 2026-10-01
mood: good
type: fact
---
The key lies under the mat
"""
TEA = """\
---
title: Tea
type: fact
permalink: main/facts/tea
tags:
- drinks
- two words
---

- [fact] Likes tea #drinks
- part_of [[Household]]
- [[Kitchen|the kitchen]] (often)
```
- not [[a relation]]
```
"""


def write(path: Path, content: str | bytes) -> None:
    """Write a file with a time of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (MTIME, MTIME))


async def memories_of(command: Command) -> dict[str, Json]:
    """Return all memories by their ids at their source."""
    exported = await command("export")
    found = [json.loads(line) for line in exported.out.splitlines()[1:-1]]
    return {memory["metadata"]["import"]["source_id"]: memory for memory in found}


async def check_manifest(name: str, command: Command) -> dict[str, Json]:
    """Check the spot checks, and what must not be live; return all memories."""
    manifest = json.loads((IMPORTS / name / "manifest.json").read_text())
    memories = await memories_of(command)
    for spot in manifest["spot_checks"]:
        memory = memories[spot["source_id"]]
        assert spot["content_contains"] in memory["content"]
        assert len(memory["content"]) == spot["content_length"]
        if front_matter := spot["metadata"] != "\u2026" and spot["metadata"].get("frontmatter"):
            assert memory["metadata"]["import"]["raw"] == front_matter
        for field in ("type", "conversation_id"):
            assert memory[field] == spot.get(field, memory[field])
    assert not set(manifest["must_not_be_live"]) & {memory["content"] for memory in memories.values()}
    return memories


@pytest.fixture
def vault(folder: Path) -> Path:
    """Make a vault that Obsidian's settings name, with a bit of everything."""
    made = folder / "My Vault"
    write(made / ".obsidian/app.json", "{}")
    write(made / "Daily/2026-02-03.md", "\ufeff- met Noa #people/noa #7\n\n```\n#not a tag\n```\nand `#nor this`\n")
    write(made / "Fact.md", FACT.replace("\n", "\r\n"))
    write(made / "Broken.md", "---\ntags: [unclosed\ntitle: still: wrong\n---\nsurvives\n")
    write(made / "caf\u0065\u0301.md", b"not UTF-8: caf\xe9")
    write(made / "Empty.md", "---\ntags: a\n---\n \n")
    write(made / ".trash/gone.md", "thrown away")
    write(made / "Board.canvas", "{}")
    write(folder / ".config/obsidian/obsidian.json", json.dumps({"vaults": {"1a": {"path": str(made), "ts": 1}}}))
    return made


async def test_a_vault_becomes_memories(vault: Path, command: Command, daemon: FakeDaemon) -> None:
    """With tags, types and times in the user's zone; what is broken stays as it is; a copy of later times is known."""
    del daemon
    obsidian = ("import", "--from", "obsidian", "--source-tz", "Europe/Berlin", "--json")
    moved = await command(*obsidian)
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 4, []), moved.err
    assert [skipped["source_id"] for skipped in moved.data["skipped"]] == ["Empty.md"]
    memories = await memories_of(command)
    assert memories.keys() == {"Daily/2026-02-03.md", "Fact.md", "Broken.md", "caf\u00e9.md"}
    fact = memories["Fact.md"]
    assert (fact["content"], fact["tags"], fact["type"]) == ("The key lies under the mat\n", ["Home", "keys"], "fact")
    assert fact["created_at"].startswith("2025-07-09T19:21:00")
    assert fact["updated_at"].startswith("2026-09-30T22:00:00")
    assert (fact["metadata"]["mood"], fact["metadata"]["title"]) == ("good", "Fact")
    daily = memories["Daily/2026-02-03.md"]
    assert (daily["tags"], daily["metadata"]["folder"]) == (["people/noa"], "Daily")
    assert daily["created_at"].startswith("2023-11-14T22:13:20")
    assert memories["Broken.md"]["content"].startswith("---\ntags: [unclosed")
    assert memories["caf\u00e9.md"]["content"] == "not UTF-8: caf\N{REPLACEMENT CHARACTER}"
    moved_vault = vault.rename(vault.with_name("Renamed"))
    for note in moved_vault.glob("**/*.md"):
        note.touch()
    again = await command(*obsidian, str(moved_vault))
    assert (again.code, again.data["created"], again.data["known"]) == (0, 0, 4)


async def test_several_vaults_are_named(vault: Path, command: Command, folder: Path) -> None:
    """One is imported at a time: notes of two may have the same path."""
    write(folder / "Other/.obsidian/app.json", "{}")
    write(folder / "Other/Fact.md", "Another")
    together = await command("import", "--from", "obsidian", str(folder), "--dry-run")
    assert together.code == 1
    assert "several vaults (My Vault, Other); give the path of one" in together.err
    listed = {"vaults": {"1a": {"path": str(vault)}, "2b": {"path": str(folder / "Other")}}}
    write(folder / ".config/obsidian/obsidian.json", json.dumps(listed))
    found = await command("import", "--from", "obsidian", "--dry-run")
    assert found.code == 1
    assert str(vault) in found.err
    assert str(folder / "Other") in found.err


async def test_notes_have_the_times_of_their_database(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Of basic-memory, found by its settings: front matter, then its database in local time, then the file."""
    del daemon
    notes = folder / "docs/notes"
    write(notes / "facts/tea.md", TEA)
    write(notes / "by hand.md", "---\ncreated: 2025-03-14T08:00:00Z\ntags: garden\n---\nBeans\n")
    write(notes / "plain.md", "Just text")
    write(folder / ".basic-memory/config.json", json.dumps({"projects": {"main": {"path": str(notes)}}}))
    known = [
        (str(notes), "facts/tea.md", "2024-06-01 12:00:00.250000"),
        (str(folder / "another project"), "plain.md", "2020-01-01 00:00:00"),
    ]
    basic_memory.make(folder / ".basic-memory/memory.db", known)
    moved = await command("import", "--from", "basic-memory", "--source-tz", "Europe/Berlin", "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 3, []), moved.err
    tea = (await command("get", "main/facts/tea", "--json")).data
    assert (tea["tags"], tea["type"], tea["metadata"]["title"]) == (["drinks", "two words"], "fact", "Tea")
    assert tea["created_at"] == "2024-06-01T10:00:00.250000Z"
    assert tea["metadata"]["relations"] == [
        {"relation": "part_of", "to": "Household"},
        {"relation": "relates_to", "to": "Kitchen"},
    ]
    memories = await memories_of(command)
    assert memories["by hand.md"]["created_at"].startswith("2025-03-14T08:00:00")
    assert memories["plain.md"]["created_at"].startswith("2023-11-14T22:13:20")
    again = await command("import", "--from", "basic-memory", "--source-tz", "Europe/Berlin", "--json")
    assert (again.code, again.data["known"]) == (0, 3)


async def test_memory_folders_of_projects(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Of Claude Code: both forms of front matter, and of an index what is no link to a file."""
    del daemon
    memory = folder / ".claude/projects/-home-mari-src-ledger/memory"
    write(memory / "user_tea.md", "---\nname: tea\ntype: user\noriginSessionId: 11d3\n---\n\nLikes tea.\n")
    write(memory / "ops.md", "---\nname: ops\nmetadata:\n  node_type: memory\n  type: reference\n---\nFrozen.\n")
    write(memory / "MEMORY.md", "# Index\n\n- [Tea](user_tea.md) \u2014 likes it\n- The host is *pomona*.\n")
    write(memory.parent.with_name("other") / "memory/MEMORY.md", "# Index\n- [Tea](user_tea.md)\n")
    write(memory.parent / "11d3.jsonl", "{}")
    moved = await command("import", "--from", "claude-code", "--json")
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 3, []), moved.err
    memories = await memories_of(command)
    tea = memories["-home-mari-src-ledger/memory/user_tea.md"]
    assert (tea["type"], tea["tags"], tea["conversation_id"]) == ("user", ["-home-mari-src-ledger"], "11d3")
    assert memories["-home-mari-src-ledger/memory/ops.md"]["type"] == "reference"
    assert memories["-home-mari-src-ledger/memory/MEMORY.md"]["content"] == "# Index\n\n- The host is *pomona*.\n"
    again = await command("import", "--from", "claude-code", str(memory.parent), "--json")
    assert (again.code, again.data["created"], again.data["known"]) == (0, 0, 3)


needs_files = pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")


@needs_files
async def test_a_real_vault(command: Command) -> None:
    """The manifest's counts and spot checks, from the archive; the note without text is skipped."""
    moved = await command("import", "--from", "obsidian", str(IMPORTS / "obsidian/vault.tar.gz"), "--json")
    assert (moved.data["created"], len(moved.data["skipped"]), moved.data["differences"]) == (53, 1, [])
    await check_manifest("obsidian", command)


@needs_files
async def test_a_real_project(command: Command) -> None:
    """The manifest's counts and spot checks, with the times that the real database has, written in Berlin."""
    archive = str(IMPORTS / "basic-memory/basic-memory-0.24.tar.gz")
    moved = await command("import", "--from", "basic-memory", archive, "--source-tz", "Europe/Berlin", "--json")
    assert (moved.data["created"], moved.data["skipped"], moved.data["differences"]) == (52, [], [])
    memories = await check_manifest("basic-memory", command)
    allergy = next(memory for place, memory in memories.items() if place.startswith("facts/Severe allergy"))
    assert allergy["created_at"].startswith("2023-08-08T08:08:08")


@needs_files
async def test_real_memory_folders(command: Command, folder: Path) -> None:
    """The manifest's count; its spot checks are of indexes as they are, whose links are left out here."""
    with tarfile.open(IMPORTS / "claude-code/dot-claude.tar.gz") as packed:
        packed.extractall(folder / ".claude", filter="data")
    moved = await command("import", "--from", "claude-code", "--json")
    assert (moved.data["created"], moved.data["skipped"], moved.data["differences"]) == (29, [], [])
    manifest = json.loads((IMPORTS / "claude-code/manifest.json").read_text())
    memories = await memories_of(command)
    contents = [memory["content"] for memory in memories.values()]
    for spot in manifest["spot_checks"]:
        assert spot["source_id"].removeprefix("projects/") in memories
        assert spot["content_contains"].startswith("# Memory Index") or any(
            spot["content_contains"] in content for content in contents
        )
    assert not set(manifest["must_not_be_live"]) & set(contents)
