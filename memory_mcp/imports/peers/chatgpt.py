"""ChatGPT's export: memories that the model saved, what the user told about themselves, and the turns on request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from memory_mcp.documents.readers.chats import current_path
from memory_mcp.documents.readers.json_ import Json, as_dict, as_list, as_str
from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers import exports
from memory_mcp.imports.peers.values import NO_TIME, moment, own_id

UNSURE: Final = "the model asked to save it; the export does not say whether it is still kept"
DAY: Final = "of its time only the day is known; taken as midnight UTC"
PICTURES: Final = "pictures and other attachments are not taken"
ABOUT: Final = {"about_user_message": "profile", "about_model_message": "instruction"}
_MARK: Final = re.compile("\ue200.*?\ue201", re.DOTALL)
_SAVED: Final = re.compile(r"^\d+\. \[(\d{4}-\d{2}-\d{2})\]\.?\s*(.+?)\s*(?=^\d+\. \[|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(slots=True)
class Kept:
    """What counts in its newest form alone, wherever in the export it stands."""

    saved: tuple[datetime, str] | None = None
    """The list of saved memories."""
    about: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """Texts that the model asked to save; the list has them again."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation."""

    id: str
    title: str
    nodes: dict[str, Json]
    began: datetime
    is_dated: bool

    def at(self, message: dict[str, Json]) -> tuple[datetime, bool]:
        """Return a message's time, or the conversation's, and whether either is there."""
        own = _moment(message.get("create_time"))
        return own or self.began, own is not None or self.is_dated


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the saved memories, and with `conversations` the turns.

    Raises:
        UnreadableError: it holds no conversation of ChatGPT.
    """
    kept = Kept()
    takes_turns = exports.CONVERSATIONS in source.extras
    found = False
    for item in exports.objects(source):
        if isinstance(item, Remark):
            yield item
        elif isinstance(item[1].get("mapping"), dict):
            found = True
            file, conversation = item
            yield from _of(conversation, source.written_at(file), kept, takes_turns=takes_turns)
    if not found:
        raise UnreadableError(
            "it holds no conversations of ChatGPT; give the export's zip, folder or conversations.json"
        )
    yield from _saved(kept)
    yield from _about(kept)
    if not takes_turns:
        yield exports.LEFT_OUT


def _of(conversation: dict[str, Json], file_time: datetime, kept: Kept, *, takes_turns: bool) -> Iterator[PeerItem]:
    began = _moment(conversation.get("create_time")) or _moment(conversation.get("update_time"))
    chat = Chat(
        as_str(conversation.get("conversation_id")) or as_str(conversation.get("id")),
        as_str(conversation.get("title")),
        as_dict(conversation.get("mapping")),
        began or file_time,
        began is not None,
    )
    for node in chat.nodes.values():  # of all branches: what was saved stays saved
        yield from _memory(as_dict(as_dict(node).get("message")), chat, kept)
    if takes_turns:
        for message in current_path(conversation):
            yield from _turn(message, chat)


def _memory(message: dict[str, Json], chat: Chat, kept: Kept) -> Iterator[PeerItem]:
    content = as_dict(message.get("content"))
    at, _ = chat.at(message)
    if message.get("recipient") == "bio" and (text := _text(content)):
        kept.asked.add(text)
        yield Remark("guessed", UNSURE, as_str(message.get("id")))
        yield from _record(message, chat, text, "", {"title": chat.title} if chat.title else {})
    saved = as_str(content.get("model_set_context"))
    if saved and (kept.saved is None or at >= kept.saved[0]):
        kept.saved = at, saved
    told = as_dict(as_dict(message.get("metadata")).get("user_context_message_data"))
    for name in ABOUT:
        if (text := as_str(told.get(name)).strip()) and (name not in kept.about or at >= kept.about[name][0]):
            kept.about[name] = at, text


def _turn(message: dict[str, Json], chat: Chat) -> Iterator[PeerItem]:
    content = as_dict(message.get("content"))
    role = as_str(as_dict(message.get("author")).get("role"))
    is_hidden = as_dict(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    is_said = content.get("content_type") in ("text", "multimodal_text") and message.get("recipient") in (None, "all")
    if role not in ("user", "assistant") or is_hidden or not is_said:
        return
    if any(isinstance(part, dict) for part in as_list(content.get("parts"))):
        yield Remark("lost", PICTURES, as_str(message.get("id")))
    if text := _text(content):
        yield from _record(message, chat, text, "turn", {"role": role, "title": chat.title})


def _record(
    message: dict[str, Json], chat: Chat, text: str, kind: str, metadata: dict[str, object]
) -> Iterator[PeerItem]:
    source_id = as_str(message.get("id")) or own_id("chatgpt", chat.id, kind, text)
    at, is_dated = chat.at(message)
    if not is_dated:
        yield Remark("guessed", NO_TIME, source_id)
    yield PeerRecord(
        source_id, text, at, at, type=kind, metadata=metadata, conversation_id=chat.id or None, is_dated=is_dated
    )


def _saved(kept: Kept) -> Iterator[PeerItem]:
    """Yield what the newest list has and no message asked for: the user wrote it, or the chat was deleted."""
    for number, (day, text) in enumerate(_SAVED.findall(kept.saved[1]) if kept.saved else [], 1):
        if text not in kept.asked:
            at = moment(day) or (kept.saved or (datetime.now(UTC),))[0]
            source_id = f"saved memory {number}"
            yield Remark("guessed", DAY, source_id)
            yield PeerRecord(source_id, text, at, at, id=own_id("chatgpt", "saved", text))


def _about(kept: Kept) -> Iterator[PeerItem]:
    """Yield what the user told about themselves and how they want to be answered, as it was last."""
    for name, (at, text) in kept.about.items():
        yield PeerRecord(name, text, at, at, type=ABOUT[name], id=own_id("chatgpt", name, text))


def _text(content: dict[str, Json]) -> str:
    """Return what a message says, without the marks of citations."""
    parts = (part if isinstance(part, str) else as_str(as_dict(part).get("text")) for part in _parts(content))
    return _MARK.sub("", "\n\n".join(filter(None, parts))).strip()


def _parts(content: dict[str, Json]) -> list[Json]:
    return as_list(content.get("parts"))


def _moment(value: object) -> datetime | None:
    """Return a time, in seconds or as a text."""
    return moment(float(value) if isinstance(value, Decimal) else value) if value is not None else None
