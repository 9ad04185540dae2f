"""Claude's export: its memory of the user and of projects, the projects' documents, and the turns on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from memory_mcp.documents.readers.json_ import Json, as_dict, as_list, as_str
from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers import exports
from memory_mcp.imports.peers.values import NO_TIME, moment, own_id

CUT_UP: Final = Remark("guessed", "the memory is one text there; each paragraph and list item becomes a memory")
BRANCHES: Final = "it is one of several answers to the same message; all are taken"
FILES: Final = "pictures and files are not taken; the texts of attachments are"
NO_PARENT: Final = "00000000-0000-4000-8000-000000000000"
SENDERS: Final = ("human", "assistant")


@dataclass(frozen=True, slots=True)
class About:
    """What belongs to a text."""

    metadata: dict[str, str]
    tags: tuple[str, ...] = ()
    chat: str = ""


@dataclass(slots=True)
class ClaudeExport:
    """What needs the whole export to be read."""

    memories: list[tuple[datetime, str, str]] = field(default_factory=list)
    """When the file was written, the project's id if it has one, and the text."""
    projects: dict[str, str] = field(default_factory=dict)
    """Names by ids."""
    anything: bool = False


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories and the projects' documents, and with `conversations` the turns.

    Raises:
        UnreadableError: it holds nothing of Claude.
    """
    found = ClaudeExport()
    takes_turns = exports.CONVERSATIONS in source.extras
    has_turns = False
    for item in exports.objects(source):
        if isinstance(item, Remark):
            yield item
            continue
        path, held = item
        if "chat_messages" in held:
            has_turns = True
            yield from _turns(held, source.written_at(path)) if takes_turns else ()
        elif "conversations_memory" in held or "project_memories" in held:
            found.memories += _memories(held, source.written_at(path))
        elif "prompt_template" in held or "docs" in held:
            yield from _project(held, source.written_at(path), found)
    if not (has_turns or found.anything or found.memories):
        raise UnreadableError("it holds nothing of Claude's export; give its zip, folder or one of its .json")
    yield from _pieces(found)
    if has_turns and not takes_turns:
        yield exports.LEFT_OUT


def _memories(held: dict[str, Json], at: datetime) -> Iterator[tuple[datetime, str, str]]:
    yield at, "", as_str(held.get("conversations_memory"))
    for project, text in as_dict(held.get("project_memories")).items():
        yield at, project, as_str(text)


def _pieces(found: ClaudeExport) -> Iterator[PeerItem]:
    """Yield the memory of the user and of each project, cut up; a text that stands there twice is one."""
    if found.memories:
        yield CUT_UP
    seen: set[str] = set()
    for at, project, text in found.memories:
        name = found.projects.get(project, project)
        for section, piece in exports.pieces(text):
            ours = own_id("claude", project, piece)
            if ours in seen:
                continue
            seen.add(ours)
            metadata = {"section": section, "project": name}
            tags = (name,) if name else ()
            source_id = f"{project or 'memory'}: {ours}"
            yield Remark("guessed", NO_TIME, source_id)
            yield PeerRecord(source_id, piece, at, at, tags, metadata=_filled(metadata), id=ours, is_dated=False)


def _project(held: dict[str, Json], file_time: datetime, found: ClaudeExport) -> Iterator[PeerItem]:
    """Yield a project's instructions and documents."""
    found.anything = True
    if held.get("is_starter_project") is True:
        yield Remark("lost", "Claude's own example projects are not taken", as_str(held.get("uuid")))
        return
    project, name = as_str(held.get("uuid")), as_str(held.get("name"))
    found.projects[project] = name
    tags = (name,) if name else ()
    if text := as_str(held.get("prompt_template")).strip():
        about = About({"project": name, "description": as_str(held.get("description"))}, tags)
        yield from _record(held, file_time, project, text, "instruction", about)
    for doc in map(as_dict, as_list(held.get("docs"))):
        about = About({"project": name, "title": as_str(doc.get("filename"))}, tags)
        text = as_str(doc.get("content"))
        source_id = as_str(doc.get("uuid")) or own_id("claude", project, text)
        yield from _record(doc, file_time, source_id, text, "document", about)


def _turns(conversation: dict[str, Json], file_time: datetime) -> Iterator[PeerItem]:
    messages = [as_dict(message) for message in as_list(conversation.get("chat_messages"))]
    parents = [as_str(message.get("parent_message_uuid")) for message in messages]
    answers = Counter(parents)
    chat, title = as_str(conversation.get("uuid")), as_str(conversation.get("name"))
    began = moment(conversation.get("created_at")) or file_time
    for message, parent in zip(messages, parents, strict=True):
        sender, text = as_str(message.get("sender")), "\n\n".join(filter(None, (_said(message), *_attached(message))))
        if sender not in SENDERS or not text:
            continue
        source_id = as_str(message.get("uuid")) or own_id("claude", chat, sender, text)
        metadata = {"role": sender, "title": title}
        if parent and answers[parent] > 1:
            yield Remark("guessed", BRANCHES, source_id)
            metadata["reply_to"] = "" if parent == NO_PARENT else parent
        if as_list(message.get("files")):
            yield Remark("lost", FILES, source_id)
        yield from _record(message, began, source_id, text, "turn", About(metadata, chat=chat))


def _attached(message: dict[str, Json]) -> Iterator[str]:
    """Yield the texts of attachments; a long text that is pasted becomes one."""
    for attachment in map(as_dict, as_list(message.get("attachments"))):
        yield as_str(attachment.get("extracted_content")).strip()


def _said(message: dict[str, Json]) -> str:
    """Return what a message says; its thoughts and tools are other kinds of content."""
    parts = map(as_dict, as_list(message.get("content")))
    said = "\n\n".join(filter(None, (as_str(part.get("text")) for part in parts if part.get("type") == "text")))
    return (said or as_str(message.get("text"))).strip()


def _record(
    held: dict[str, Json], fallback: datetime, source_id: str, text: str, kind: str, about: About
) -> Iterator[PeerItem]:
    created = moment(held.get("created_at"))
    at = created or fallback
    if created is None:
        yield Remark("guessed", NO_TIME, source_id)
    yield PeerRecord(
        source_id,
        text,
        at,
        max(at, moment(held.get("updated_at")) or at),
        about.tags,
        kind,
        _filled(about.metadata),
        about.chat or None,
        is_dated=created is not None,
    )


def _filled(metadata: dict[str, str]) -> dict[str, object]:
    return {name: value for name, value in metadata.items() if value}
