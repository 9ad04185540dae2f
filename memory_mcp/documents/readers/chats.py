"""Reads exported chats: each conversation is a document, and its turns are the blocks, "Speaker: text", in order.

ChatGPT's and Claude's conversations.json, and Claude Code's sessions. WhatsApp's are read in `whatsapp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Final

from memory_mcp.documents.readers import charsets, json_
from memory_mcp.documents.readers.json_ import Json, as_dict, as_list, as_str
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.plain import cut, empty, one_line, plain

MAX_TITLE: Final = 200
_SPEAKERS: Final = {"user": "User", "human": "User", "assistant": "Assistant"}
_SPOKEN: Final = ("text", "multimodal_text")
"""The kinds of content that were said, not thought or sent to a tool."""
_NOTICE: Final = re.compile(
    r"<(system-reminder|local-command-\w+|command-\w+|task-notification)>.*?</\1>|^Caveat: The messages below were.*",
    re.DOTALL,
)
"""What Claude Code writes into a turn by itself."""


def read_conversations(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read conversations.json of ChatGPT or Claude; what has another shape is read as JSON."""
    encoding = charsets.encoding_of(source.file)
    json_.is_json(source.file, encoding)  # for its bound on depth; where an export is cut off, what is whole is told
    found = told = False
    try:
        for number, conversation in enumerate(_elements(source, encoding), 1):
            turns = _turns(as_dict(conversation))
            if turns is None and not found:
                break
            found = True
            for item in _document(as_dict(conversation), number, turns or []):
                told = True
                yield item
    except json_.BROKEN as error:
        if found:
            raise RefusedError(
                Refusal.DAMAGED, "The export is damaged: it ends within a conversation. Export it once more."
            ) from error
    if not found:
        yield from json_.read(source)
    elif not told:
        raise empty()


def read_session(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read a session of Claude Code, without thoughts, tools and what they returned."""
    with charsets.opened(source.file) as lines:
        title = ""
        turns = (turn for _, value in json_.values(lines) if (turn := _session_turn(as_dict(value))) is not None)
        first = None
        for turn in turns:
            if isinstance(turn, TextBlock):
                first = turn
                break
            title = turn
        if first is None:
            raise empty()
        title = title or cut(one_line(first.text.partition(": ")[2]), MAX_TITLE)
        yield Header(title=title, media_type="application/jsonl", created_at=first.created_at, is_conversation=True)
        yield from chain((first,), (turn for turn in turns if isinstance(turn, TextBlock)))


def turn_of(speaker: str, text: str, created_at: datetime | None) -> TextBlock | None:
    """Return a turn; None where nothing was said."""
    said = plain(text).strip()
    return TextBlock(f"{speaker}: {said}", created_at=created_at, stands_alone=True) if said else None


def _elements(source: DocumentSource, encoding: str) -> Iterator[Json]:
    """Yield the conversations of an array, or the one that stands alone."""
    source.file.seek(0)
    head = source.file.read(4096).decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
    yield from json_.items(source.file, encoding, "item" if head.startswith("[") else "")


def _document(conversation: dict[str, Json], number: int, turns: list[TextBlock]) -> Iterator[DocumentItem]:
    if not turns:
        return
    name = as_str(conversation.get("conversation_id") or conversation.get("id") or conversation.get("uuid"))
    title = one_line(as_str(conversation.get("title") or conversation.get("name")))
    yield Header(
        part=f"conversation-{one_line(name) or number}",
        title=cut(title or one_line(turns[0].text.partition(": ")[2]), MAX_TITLE),
        media_type="application/json",
        created_at=_time(conversation.get("create_time") or conversation.get("created_at")) or turns[0].created_at,
        is_conversation=True,
    )
    yield from turns


def _turns(conversation: dict[str, Json]) -> list[TextBlock] | None:
    """Return what was said; None where it is no conversation."""
    if isinstance(conversation.get("mapping"), dict):
        said = map(_chatgpt_turn, current_path(conversation))
    elif isinstance(conversation.get("chat_messages"), list):
        said = map(_claude_turn, map(as_dict, as_list(conversation.get("chat_messages"))))
    else:
        return None
    return [turn for turn in said if turn is not None]


def current_path(conversation: dict[str, Json]) -> list[dict[str, Json]]:
    """Return ChatGPT's messages from the first to the current one; the branches that were left are not among them."""
    nodes = as_dict(conversation.get("mapping"))
    name = as_str(conversation.get("current_node")) or next(
        (name for name, node in reversed(nodes.items()) if not as_list(as_dict(node).get("children"))), ""
    )
    path: list[dict[str, Json]] = []
    seen: set[str] = set()
    while name in nodes and name not in seen:
        seen.add(name)
        node = as_dict(nodes[name])
        path.append(as_dict(node.get("message")))
        name = as_str(node.get("parent"))
    return path[::-1]


def _chatgpt_turn(message: dict[str, Json]) -> TextBlock | None:
    content = as_dict(message.get("content"))
    speaker = _SPEAKERS.get(as_str(as_dict(message.get("author")).get("role")))
    is_hidden = as_dict(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    for_tool = message.get("recipient") not in (None, "all")
    if speaker is None or is_hidden or for_tool or content.get("content_type", "text") not in _SPOKEN:
        return None
    parts = (
        part if isinstance(part, str) else as_str(as_dict(part).get("text")) for part in as_list(content.get("parts"))
    )
    return turn_of(speaker, "\n\n".join(filter(None, parts)), _time(message.get("create_time")))


def _claude_turn(message: dict[str, Json]) -> TextBlock | None:
    speaker = _SPEAKERS.get(as_str(message.get("sender")))
    text = _spoken(message.get("content")) or as_str(message.get("text"))
    return turn_of(speaker, text, _time(message.get("created_at"))) if speaker is not None else None


def _session_turn(entry: dict[str, Json]) -> TextBlock | str | None:
    """Return a turn of Claude Code, or the session's title."""
    if entry.get("type") == "summary":
        return cut(one_line(as_str(entry.get("summary"))), MAX_TITLE)
    speaker = _SPEAKERS.get(as_str(entry.get("type")))
    if speaker is None or entry.get("isMeta") is True or entry.get("isSidechain") is True:
        return None
    text = _NOTICE.sub("", _spoken(as_dict(entry.get("message")).get("content")))
    return turn_of(speaker, text, _time(entry.get("timestamp")))


def _spoken(content: Json) -> str:
    """Return the texts of a message; its thoughts, tools and their results are other kinds of content."""
    if isinstance(content, str):
        return content
    parts = (as_dict(part) for part in as_list(content))
    return "\n\n".join(filter(None, (as_str(part.get("text")) for part in parts if part.get("type") == "text")))


def _time(value: object) -> datetime | None:
    """Read seconds since 1970, or ISO 8601; a time without a zone is UTC."""
    try:
        if isinstance(value, int | float | Decimal):
            return datetime.fromtimestamp(float(value), UTC)
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
