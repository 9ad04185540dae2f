"""server-memory, the knowledge graph of the MCP project: entities with observations, and relations, as JSON Lines."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError

IDS: Final = uuid.UUID("5b0d1c52-0d0c-5b1e-9a55-0c8d6a1f7e10")
"""Ours; the peer has no ids, so they are made of names and texts."""
NO_TIMES: Final = Remark("guessed", "the peer keeps no times; the file's is taken")
Thing = Mapping[str, object]


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each observation, and one for each entity that has relations, or nothing else.

    Raises:
        UnreadableError: nothing in the file is of server-memory.
    """
    path = source.file()
    at = source.written_at(path)
    things: list[Thing] = []
    damaged: list[Remark] = []
    for found in _things(path.read_text("utf-8-sig", "replace")):
        (damaged if isinstance(found, Remark) else things).append(found)  # type: ignore[arg-type]  # each to its own
    relations = [thing for thing in things if thing.get("type") == "relation" or "relationType" in thing]
    entities = [thing for thing in things if "name" in thing]
    if not (entities or relations):
        raise UnreadableError(f"{path.name} has no entities of server-memory; name its memory.jsonl")
    yield NO_TIMES
    yield from damaged
    for entity in entities:
        yield from _records(entity, [each for each in relations if each.get("from") == entity["name"]], at)


def _things(written: str) -> Iterator[Thing | Remark]:
    """Yield the objects of an array, of a graph, or of lines; a line may hold several that ran together."""
    try:
        whole = json.loads(written)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("entities"), list):
        whole = [*whole["entities"], *(whole.get("relations") or [])]
    if isinstance(whole, list):
        yield from (thing for thing in whole if isinstance(thing, dict))
        return
    for number, line in enumerate(written.splitlines(), 1):
        yield from _of_line(number, line)


def _of_line(number: int, line: str) -> Iterator[Thing | Remark]:
    decoder, rest = json.JSONDecoder(), line.strip()
    while rest:
        try:
            thing, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            yield Remark("bad", "this line is damaged", f"line {number}")
            return
        if isinstance(thing, dict):
            yield thing
        rest = rest[end:].lstrip()


def _records(entity: Thing, relations: list[Thing], at: datetime) -> Iterator[PeerRecord]:
    name, kind = str(entity["name"]), str(entity.get("entityType") or "")
    held = entity.get("observations")
    observations = [each for each in held if isinstance(each, str)] if isinstance(held, list) else []
    for number, text in enumerate(observations):
        metadata: dict[str, object] = {"entity": name}
        if len(observations) == 1:  # alone it would not say whom it is about
            metadata["observation"] = text
        content = f"{name}: {text}" if len(observations) == 1 else text
        yield PeerRecord(
            f"{name}#{number}", content, at, at, (name,), kind, metadata, id=_id(name, text), is_dated=False
        )
    if relations or not observations:
        told = [{"relation": str(each.get("relationType")), "to": str(each.get("to"))} for each in relations]
        said = "; ".join(f"{each['relation']} {each['to']}" for each in told)
        content = f"{name} ({kind})" if kind else name
        content += f": {said}" if said else ""
        metadata = {"entity": name, "relations": told} if told else {"entity": name}
        yield PeerRecord(name, content, at, at, (name,), kind, metadata, id=_id(name, ""), is_dated=False)


def _id(name: str, text: str) -> str:
    return str(uuid.uuid5(IDS, f"{name}\n{text}"))
