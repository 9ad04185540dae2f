"""The reader of Claude's export, on a conversation with many messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memory_mcp.documents.readers import json_
from memory_mcp.imports.model import PeerRecord, Remark, Source
from memory_mcp.imports.peers import claude


class Counted(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        """Compare."""
        Counted.compared += 1
        return str(self) == str(other)

    __hash__ = str.__hash__


def compared(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> int:
    """Read a conversation of so many messages; return how often ids of what they answer were compared."""
    monkeypatch.setattr(claude, "as_str", lambda value: Counted(json_.as_str(value)))
    messages = [
        {"uuid": f"m{n}", "sender": "human", "text": "Tea", "parent_message_uuid": f"p{n}"} for n in range(count)
    ]
    path = folder / "conversations.json"
    path.write_text(json.dumps([{"uuid": "chat", "chat_messages": messages}]))
    Counted.compared = 0
    found = list(claude.read(Source(path, extras=frozenset({"conversations"}))))
    assert sum(isinstance(item, PeerRecord) for item in found) == count
    assert not any(isinstance(item, Remark) and item.what == claude.BRANCHES for item in found)
    return Counted.compared


def test_work_grows_with_the_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times as many messages take about four times the comparisons."""
    assert compared(tmp_path, monkeypatch, 400) < 6 * compared(tmp_path, monkeypatch, 100)
