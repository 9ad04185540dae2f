"""Exported chats: each conversation a document, its turns in order with speaker and time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from memory_mcp.documents.readers.model import Refusal, TextBlock
from tests.front.documents.reading import refused, told


def _node(parent: str | None, role: str, *parts: object, **message: object) -> dict[str, Any]:
    content = {"content_type": message.pop("kind", "text"), "parts": list(parts)}
    return {"parent": parent, "children": [], "message": {"author": {"role": role}, "content": content, **message}}


def _chatgpt(**conversation: object) -> bytes:
    mapping = {
        "r": {"id": "r", "message": None, "parent": None, "children": []},
        "s": _node("r", "system", "You are"),
        "1": _node("s", "user", "Hello", create_time=1735722000.5),
        "2a": _node("1", "assistant", "LEFT"),
        "t": _node("1", "assistant", "search()", kind="code", recipient="browser"),
        "h": _node("t", "tool", "FOUND"),
        "th": _node("h", "assistant", "THOUGHT", kind="thoughts"),
        "2": _node("th", "assistant", "Hi.", {"content_type": "image_asset_pointer"}, "", kind="multimodal_text"),
    }
    return json.dumps([{"title": "T", "id": "c1", "mapping": mapping, "current_node": "2", **conversation}]).encode()


def test_chatgpt() -> None:
    """The path to the current node is read, without what tools and thoughts said."""
    chat = told(_chatgpt(create_time=1735721999), "conversations.json")
    (header,) = chat.headers
    assert (header.part, header.title, header.is_conversation) == ("conversation-c1", "T", True)
    assert header.created_at == datetime(2025, 1, 1, 8, 59, 59, tzinfo=UTC)
    assert chat.blocks == [
        TextBlock("User: Hello", created_at=datetime(2025, 1, 1, 9, 0, 0, 500_000, tzinfo=UTC), stands_alone=True),
        TextBlock("Assistant: Hi.", stands_alone=True),
    ]
    assert told(_chatgpt(current_node=None)).texts[0] == "User: Hello"


def test_loop() -> None:
    """A tree that is none ends all the same."""
    mapping = {"a": _node("b", "user", "one"), "b": _node("a", "assistant", "two")}
    assert told(_chatgpt(mapping=mapping, current_node="a")).texts == ["Assistant: two", "User: one"]


def test_claude() -> None:
    """Claude's export: several conversations, one of them empty; a file that was cut off says so."""
    message = {"sender": "human", "text": "Hi", "created_at": "2025-01-02T03:04:05Z"}
    answer = {"sender": "assistant", "content": [{"type": "thinking", "text": "NO"}, {"type": "text", "text": "Yes?"}]}
    export = [
        {"uuid": "a", "name": "", "chat_messages": [message, answer]},
        {"uuid": "b", "name": "Empty", "chat_messages": []},
        {"uuid": "c", "name": "Other", "created_at": "2025-01-03T00:00:00+02:00", "chat_messages": [message]},
    ]
    chat = told(json.dumps(export), "conversations.json")
    assert [(header.part, header.title) for header in chat.headers] == [
        ("conversation-a", "Hi"),
        ("conversation-c", "Other"),
    ]
    assert [block.text for block in chat.document("conversation-a")] == ["User: Hi", "Assistant: Yes?"]
    assert chat.blocks[0].created_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert refused(json.dumps(export)[:-50], "conversations.json") is Refusal.DAMAGED
    assert refused(json.dumps(export[1:2]), "conversations.json") is Refusal.EMPTY


def test_other_shape() -> None:
    """What only looks like an export is read as JSON."""
    assert told('[{"note": {"chat_messages": [1]}}]').texts == ["note.chat_messages: 1"]


def _line(kind: str, content: object, **more: object) -> str:
    return json.dumps({"type": kind, "sessionId": "s", "message": {"role": kind, "content": content}, **more})


def test_claude_code() -> None:
    """A session has what was said: no thoughts, tools or notices; a line that was cut off costs itself."""
    lines = [
        _line("user", "<command-name>/clear</command-name>"),
        _line("user", "Fix the parser <system-reminder>NO</system-reminder>please", timestamp="2025-09-01T10:00:00Z"),
        _line("assistant", [{"type": "thinking", "thinking": "NO"}, {"type": "tool_use", "name": "Read", "input": {}}]),
        _line("user", [{"type": "tool_result", "content": "NO"}]),
        _line("assistant", "NO", isSidechain=True),
        _line("user", "NO", isMeta=True),
        _line("assistant", [{"type": "text", "text": "Done."}]),
        '{"type": "assistant", "mess',
    ]
    chat = told("\n".join(lines), "s.jsonl")
    assert chat.texts == ["User: Fix the parser please", "Assistant: Done."]
    assert chat.headers[0].title == "Fix the parser please"
    assert chat.blocks[0].created_at == datetime(2025, 9, 1, 10, tzinfo=UTC)
    assert refused(lines[0], "s.jsonl") is Refusal.EMPTY


@pytest.mark.parametrize(
    ("lines", "time"),
    [
        ("[31.12.25, 23:59:01] Mia: one\n[31.12.25, 23:59:02] Tom: two", "2025-12-31T23:59:01+00:00"),
        ("12/31/25, 11:59 PM - Mia: one\n12/31/25, 11:59\u202fPM - Tom: two", "2025-12-31T23:59:00+00:00"),
        ("1/2/25, 12:05 AM - Mia: one\n1/2/25, 12:05 AM - Tom: two", "2025-01-02T00:05:00+00:00"),
        ("01/02/2025, 09:14 - Mia: one\n01/02/2025, 09:15 - Tom: two", "2025-02-01T09:14:00+00:00"),
        ("2025-02-01, 09:14 - Mia: one\n2025-02-01, 09:15 - Tom: two", "2025-02-01T09:14:00+00:00"),
        ("[1/2/25, 9:14:03 a.m.] Mia: one\n[1/2/25, 9:14:04 a.m.] Tom: two", "2025-01-02T09:14:03+00:00"),
    ],
)
def test_whatsapp_dates(lines: str, time: str) -> None:
    """The order of day and month is told from all dates of the file, and the clock from am and pm."""
    chat = told(lines, "WhatsApp Chat with Mia.txt")
    assert chat.texts == ["Mia: one", "Tom: two"]
    assert chat.blocks[0].created_at == datetime.fromisoformat(time)
    assert chat.headers[0].title == "Mia"
    assert chat.headers[0].is_conversation


def test_whatsapp_words() -> None:
    """A turn may have several lines and colons; WhatsApp's own words are not turns."""
    chat = told(
        "01.02.25, 09:14 - Nachrichten sind verschlüsselt.\n01.02.25, 09:14 - Mia: Liste: a\n\nb: c\n"
        "01.02.25, 09:15 - Tom: <Medien ausgeschlossen>\n01.02.25, 09:16 - Tom: 10:30 - ok?\n",
        "chat.txt",
    )
    assert chat.texts == ["Mia: Liste: a\n\nb: c", "Tom: 10:30 - ok?"]
    assert chat.headers[0].title == "Mia, Tom"
