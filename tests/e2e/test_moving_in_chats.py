"""`memory-mcp import --from` ChatGPT and Claude, as a process, on their exports."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon
from tests.front.documents.reading import DOCUMENTS

IMPORTS = DOCUMENTS.parent / "imports"
ALSO = ("--also", "conversations")
needs_files = pytest.mark.skipif(not IMPORTS.exists(), reason="the shared files of other systems are not here")


async def memories_of(command: Command) -> dict[str, Json]:
    """Return all memories by their ids at their source."""
    exported = await command("export")
    found = [json.loads(line) for line in exported.out.splitlines()[1:-1]]
    return {memory["metadata"]["import"]["source_id"]: memory for memory in found}


def said(role: str, text: str, at: float | None, recipient: str = "all", **more: object) -> Json:
    """Return a message of ChatGPT."""
    content = {"content_type": "text", "parts": [text]}
    message = {"author": {"role": role}, "content": content, "create_time": at, "recipient": recipient, "metadata": {}}
    return {**message, **more}


SAVED = """# Model Set Context

1. [2024-01-15]. Likes tea.
2. [2024-02-29]. The dog is called Pretzel,
and is afraid of umbrellas."""
MESSAGES = {
    "about": said("user", "", None, content={"content_type": "user_editable_context"}, metadata={
        "is_visually_hidden_from_conversation": True,
        "user_context_message_data": {"about_user_message": "I keep an allotment.", "about_model_message": "Be brief."},
    }),
    "question": said("user", "Remember that I like tea", 1705305902.5),
    "saving": said("assistant", "Likes tea.", 1705305905, "bio"),
    "saved": said("tool", "Model set context updated.", 1705305906),
    "list": said("assistant", "", 1705305907, content={
        "content_type": "model_editable_context", "model_set_context": SAVED
    }),
    "thought": said("assistant", "", 1705305908, content={"content_type": "thoughts", "thoughts": []}),
    "hidden": said("user", "Not shown", 1705305909, metadata={"is_visually_hidden_from_conversation": True}),
    "tool": said("assistant", "print(6*7)", 1705305910, "python"),
    "answer": said("assistant", "Noted. \ue200cite\ue202turn0search0\ue201", None),
}  # fmt: skip


def conversation(**more: object) -> Json:
    """Return a conversation of ChatGPT, with a branch that was left."""
    names = list(MESSAGES)
    mapping: Json = {
        name: {"id": name, "message": {"id": name, **MESSAGES[name]}, "parent": parent, "children": []}
        for name, parent in zip(names, [None, *names], strict=False)
    }
    left = {"id": "left", **said("user", "On a branch that was left", 1705305903)}
    mapping["left"] = {"id": "left", "message": left, "parent": "about", "children": []}
    made = {"conversation_id": "chat", "title": None, "create_time": None, "mapping": mapping, "current_node": "answer"}
    return {**made, **more}


async def test_saved_memories_of_chatgpt(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """What the model saved, the rest of its newest list, and what the user said of themselves; turns on request."""
    del daemon
    empty: Json = {"title": "Empty", "mapping": {}, "current_node": None}
    with zipfile.ZipFile(folder / "export.zip", "w") as packed:
        packed.writestr("conversations-000.json", json.dumps([empty, conversation()]))
        packed.writestr("user.json", "{}")
    chatgpt = ("import", "--from", "chatgpt", str(folder / "export.zip"), "--json")
    moved = await command(*chatgpt)
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 4, []), moved.err
    assert "conversations are left out" in moved.out
    memories = await memories_of(command)
    assert {memory["content"]: memory["type"] for memory in memories.values()} == {
        "Likes tea.": "note",
        "The dog is called Pretzel,\nand is afraid of umbrellas.": "note",
        "I keep an allotment.": "profile",
        "Be brief.": "instruction",
    }
    saving = memories["saving"]
    assert (saving["created_at"][:19], saving["conversation_id"]) == ("2024-01-15T08:05:05", "chat")
    with_turns = await command(*chatgpt, *ALSO)
    assert (with_turns.code, with_turns.data["created"], with_turns.data["known"]) == (0, 2, 4), with_turns.err
    memories = await memories_of(command)
    assert memories["question"]["metadata"]["role"] == "user"
    assert (memories["answer"]["content"], memories["answer"]["type"]) == ("Noted.", "turn")
    assert "left" not in memories


async def test_a_file_that_was_cut_off(command: Command, folder: Path) -> None:
    """What is whole is taken, and the rest is named; what is no export is refused in one line."""
    whole = json.dumps([conversation(), conversation()])
    (folder / "conversations.json").write_text(whole[: len(whole) * 3 // 4])
    planned = await command("import", "--from", "chatgpt", str(folder), "--dry-run", "--json")
    assert (planned.code, planned.data["taken"]) == (0, 4), planned.err
    assert planned.data["skipped"] == [
        {"source_id": "conversations.json", "why": "the file ends early; export it again"}
    ]
    (folder / "other.json").write_text("not JSON")
    for name, why in (("other.json", "is no JSON"), ("conversations.json", "holds nothing of Claude's export")):
        refused = await command("import", "--from", "claude", str(folder / name), "--dry-run")
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert why in refused.err


MEMORY = (
    "**Work**\n\nLikes tea. Lives in Set\u00fabal.\n\n*Recent months*\n\nMoved house.\n\n# Other\n- One\n  more\n- Two"
)
PROJECT = {
    "uuid": "p1",
    "name": "Ledger",
    "prompt_template": "Be careful.",
    "created_at": "2024-04-02T12:30:00Z",
    "docs": [{"uuid": "d1", "filename": "plan.md", "content": "# Plan"}],
}


def turn(name: str, sender: str, parts: list[Json], parent: str = "", **more: object) -> Json:
    """Return a message of Claude."""
    made = {"uuid": name, "sender": sender, "content": parts, "parent_message_uuid": parent}
    return {**made, "created_at": "2024-01-15T08:05:00.5Z", "attachments": [], "files": [], **more}


async def test_memories_of_claude(command: Command, folder: Path, daemon: FakeDaemon) -> None:
    """Cut at headings, paragraphs and list items; projects with their documents; turns on request."""
    del daemon
    memories = [{"conversations_memory": MEMORY, "project_memories": {"p1": "Moved house."}, "account_uuid": "a"}]
    starter = {
        "uuid": "p2",
        "name": "How to use Claude",
        "is_starter_project": True,
        "docs": [{"uuid": "d2", "content": "Hello"}],
    }
    messages = [
        turn("m1", "human", [{"type": "text", "text": "Look at this"}],
             attachments=[{"file_name": "a.txt", "extracted_content": "Pasted"}]),
        turn("m2", "assistant", [{"type": "tool_result", "text": "42"}, {"type": "text", "text": "Seen."}], "m1"),
        turn("m3", "assistant", [{"type": "text", "text": "Seen again."}], "m1"),
    ]  # fmt: skip
    chats = [{"uuid": "chat", "name": "", "created_at": None, "chat_messages": messages},
             {"uuid": "empty", "name": "", "chat_messages": []}]  # fmt: skip
    export = folder / "export"
    (export / "projects").mkdir(parents=True)
    (export / "memories.json").write_text(json.dumps(memories))
    (export / "projects/p1.json").write_text(json.dumps(PROJECT))
    (export / "projects/p2.json").write_text(json.dumps(starter))
    (export / "conversations.json").write_text(json.dumps(chats), encoding="utf-8-sig")
    claude = ("import", "--from", "claude", str(export), "--json")
    moved = await command(*claude)
    assert (moved.code, moved.data["created"], moved.data["differences"]) == (0, 7, []), moved.err
    held = list((await memories_of(command)).values())
    told = {(memory["content"], memory["metadata"].get("section"), *memory["tags"]) for memory in held}
    assert told == {
        ("Likes tea. Lives in Set\u00fabal.", "Work"),
        ("Moved house.", "Work / Recent months"),
        ("One\n  more", "Other"),
        ("Two", "Other"),
        ("Moved house.", None, "Ledger"),
        ("Be careful.", None, "Ledger"),
        ("# Plan", None, "Ledger"),
    }
    with_turns = await command(*claude, *ALSO)
    assert (with_turns.code, with_turns.data["created"], with_turns.data["known"]) == (0, 3, 7), with_turns.err
    turns = await memories_of(command)
    assert turns["m1"]["content"] == "Look at this\n\nPasted"
    assert (turns["m2"]["content"], turns["m3"]["metadata"]["reply_to"]) == ("Seen.", "m1")
    assert turns["m2"]["conversation_id"] == "chat"


@needs_files
@pytest.mark.parametrize(
    ("name", "file", "turns", "others"),
    [
        ("chatgpt", "export.zip", 58, {"note": 25, "profile": 1, "instruction": 1}),
        ("claude", "data-2026-11-01-09-00-00-batch-0000.zip", 42, {"note": 13, "document": 1, "instruction": 1}),
    ],
)
async def test_exports(command: Command, name: str, file: str, turns: int, others: dict[str, int]) -> None:
    """The manifest's counts and spot checks.

    ChatGPT's counts no instructions of the user, and Claude's takes each memory for one, which is cut up here.
    """
    moved = await command("import", "--from", name, str(IMPORTS / name / file), *ALSO, "--json")
    data = moved.data
    assert (data["created"], data["skipped"], data["differences"]) == (turns + sum(others.values()), [], [])
    memories = await memories_of(command)
    types = [memory["type"] for memory in memories.values()]
    assert {kind: types.count(kind) for kind in types} == {"turn": turns, **others}
    manifest = json.loads((IMPORTS / name / "manifest.json").read_text())
    for spot in manifest["spot_checks"]:
        memory = memories[spot["source_id"]]
        assert spot["content_contains"] in memory["content"]
        assert len(memory["content"]) == spot["content_length"]
        assert (memory["type"], memory["conversation_id"]) == (spot["type"], spot["conversation_id"])
        assert memory["created_at"][:19] == spot["created_at"][:19]
        assert memory["metadata"].items() >= spot["metadata"].items()
    assert not set(manifest["must_not_be_live"]) & {memory["content"] for memory in memories.values()}


@needs_files
@pytest.mark.parametrize(
    ("name", "file", "count"), [("chatgpt", "conversations.json", 12), ("claude", "memories.json", 13)]
)
async def test_a_part_of_an_export(command: Command, name: str, file: str, count: int) -> None:
    """A file of it can be given alone."""
    moved = await command("import", "--from", name, str(IMPORTS / name / file), "--json")
    assert (moved.data["created"], moved.data["skipped"], moved.data["differences"]) == (count, [], [])
