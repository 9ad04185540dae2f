"""mem0: points in a folder of qdrant_client with `history.db`, or the JSON that its `get_all` and its platform give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, PeerVersion, Remark, Source, UnreadableError
from memory_mcp.imports.peers.database import is_database
from memory_mcp.imports.peers.mem0_history import History, history_of
from memory_mcp.imports.peers.points import Point, points
from memory_mcp.imports.peers.values import NO_TIME, json_file, moment, objects, own_id

OWN: Final = frozenset(
    {"data", "hash", "user_id", "agent_id", "run_id", "actor_id", "created_at", "updated_at", "role", "text_lemmatized"}
)
"""Its keys in a payload; the others are the user's."""
KEPT: Final = ("user_id", "agent_id", "actor_id", "role")
NOT_MEMORIES: Final = ("mem0migrations", "_entities")
"""Endings of collections with its own bookkeeping."""
NAMESPACES: Final = Remark("guessed", "each user becomes a namespace, and an agent without a user")
NO_STORE: Final = (
    "its point is missing, so it comes from history.db without user, tags and metadata; mem0 keeps points by default in"
    " the folder qdrant of the temporary folder: copy it beside history.db and import both"
)


@dataclass(frozen=True, slots=True)
class Mem0Memory:
    """A payload with the id of its memory."""

    source_id: str
    payload: Mapping[str, object]
    file_at: datetime


def read(source: Source) -> Iterator[PeerItem]:
    """Yield the memories with their history, then the deleted ones.

    Raises:
        UnreadableError: it is nothing of mem0's.
    """
    files = source.files()
    histories = [file for file in files if is_database(file) and "history" in file.name]
    stores = [file for file in files if file not in histories]
    if not files:
        raise UnreadableError("it holds no history.db and no collection/NAME/storage.sqlite; give mem0's folder")
    if len(histories) > 1:
        raise UnreadableError("it holds several history.db; give the folder of one")
    history = history_of(histories[0], source) if histories else History()
    seen: set[str] = set()
    is_whole = bool(stores)
    yield NAMESPACES
    for found in _memories(source, stores):
        if isinstance(found, Remark):
            is_whole = False  # its memory may be in the history
            yield found
        else:
            seen.add(found.source_id)
            yield from _items(found, history, source)
    yield from _of_history(history, seen, is_whole=is_whole)
    if not histories:
        yield Remark("lost", "there is no history.db in it: earlier versions and what was deleted stay there")


def _memories(source: Source, stores: Sequence[Path]) -> Iterator[Mem0Memory | Remark]:
    databases = [file for file in stores if is_database(file)]
    for file in stores:
        if file not in databases:
            yield from _of_json(file, source)
    wanted = [file for file in databases if not file.parent.name.endswith(NOT_MEMORIES)]
    for found in points(source, wanted):
        yield Mem0Memory(found.source_id, found.payload, found.file_at) if isinstance(found, Point) else found


def _of_json(file: Path, source: Source) -> Iterator[Mem0Memory]:
    """Yield the memories of a list, or of one below `results` or `memories`.

    Raises:
        UnreadableError: it is none.
    """
    held = json_file(file)
    if isinstance(held, dict):
        held = held.get("results", held.get("memories"))
    if not isinstance(held, list):
        raise UnreadableError(f"{file.name} has no list of memories; name a file of mem0's get_all")
    for entry in objects(held):
        metadata = entry.get("metadata")
        top = {key: value for key, value in entry.items() if key not in {"id", "memory", "metadata", "score"}}
        payload = {**(metadata if isinstance(metadata, dict) else {}), **top, "data": entry.get("memory")}
        yield Mem0Memory(str(entry.get("id")), payload, source.written_at(file))


def _items(found: Mem0Memory, history: History, source: Source) -> Iterator[PeerItem]:
    payload, source_id = found.payload, found.source_id
    data = payload.get("data")
    if not isinstance(data, str):
        yield Remark("bad", "it has no text", source_id)
        return
    created = moment(payload.get("created_at"), source.aware)
    if created is None:
        yield Remark("guessed", NO_TIME, source_id)
    at = created or found.file_at
    metadata = {key: value for key, value in payload.items() if key not in OWN}
    tags = _tags(metadata)
    about = {key: payload[key] for key in KEPT if payload.get(key) is not None}
    if about:
        metadata["import"] = about  # under the import's own member: they are mem0's, not the user's
    versions = history.versions(source_id, at)
    if versions:
        yield Remark("lost", "tags and metadata of earlier versions, which it does not keep", source_id)
    yield PeerRecord(
        source_id,
        data,
        at,
        max(at, moment(payload.get("updated_at"), source.aware) or at),
        tags,
        "",
        metadata,
        str(payload["run_id"]) if payload.get("run_id") else None,
        str(payload.get("user_id") or payload.get("agent_id") or ""),
        versions,
        id=_id(source_id),
        is_dated=created is not None,
    )


def _tags(metadata: dict[str, object]) -> tuple[str, ...]:
    """Take the tags, where they are a list of texts."""
    for key in ("tags", "categories"):
        held = metadata.get(key)
        if isinstance(held, list) and all(isinstance(tag, str) for tag in held):
            del metadata[key]
            return tuple(tag.strip() for tag in held if tag.strip())
    return ()


def _of_history(history: History, seen: set[str], *, is_whole: bool) -> Iterator[PeerItem]:
    """Yield what history alone knows: what was deleted, or everything, where the store is gone."""
    for source_id, life in history.lives.items():
        if source_id in seen or not life.last_text:
            continue
        is_live = not (life.is_deleted or is_whole)
        if is_live:
            yield Remark("lost", NO_STORE, source_id)
        elif not life.is_deleted:
            yield Remark("guessed", "it is in history.db, but not in the vector store; taken as deleted", source_id)
        versions: tuple[PeerVersion, ...] = history.versions(source_id, life.created_at)
        yield PeerRecord(
            source_id,
            life.last_text,
            life.created_at,
            max(life.created_at, life.updated_at),
            versions=versions,
            state="live" if is_live else "deleted",
            id=_id(source_id),
        )


def _id(source_id: str) -> str:
    return "" if "-" in source_id else own_id("mem0", source_id)
