"""server-memory, the knowledge graph of the MCP project: entities with observations, and relations, as JSON Lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source, UnreadableError
from memory_mcp.imports.peers.values import REPLACED, own_id

NO_TIMES: Final = Remark("guessed", "the peer keeps no times; the file's is taken")
NO_ENTITY: Final = "it has relations, but is no entity there; a memory is made of them"
ONE_TEXT: Final = "its observations are one text, not a list; taken as one observation"
NO_TEXT: Final = "it is no text"
NEITHER: Final = "it is neither an entity nor a relation with all its members"
_SPACE: Final = re.compile(r"[ \t\r]*")
Thing = Mapping[str, object]


@dataclass(slots=True)
class Graph:
    """What the file holds."""

    entities: list[Thing] = field(default_factory=list)
    relations: dict[str, list[Thing]] = field(default_factory=dict)
    """By the entity that they begin at."""
    damaged: list[Remark] = field(default_factory=list)

    def add(self, place: str, thing: object) -> None:
        """Take an object of the file; anything else costs itself."""
        if not isinstance(thing, dict):
            self.damaged.append(Remark("bad", NEITHER, place))
        elif thing.get("type") == "relation" or "relationType" in thing:
            self._relate(place, thing)
        elif isinstance(thing.get("name"), str):
            self.entities.append(thing)
        else:
            self.damaged.append(Remark("bad", NEITHER, place))

    def _relate(self, place: str, thing: Thing) -> None:
        if all(isinstance(thing.get(member), str) for member in ("from", "to", "relationType")):
            self.relations.setdefault(str(thing["from"]), []).append(thing)
        else:
            self.damaged.append(Remark("bad", NEITHER, place))


def read(source: Source) -> Iterator[PeerItem]:
    """Yield a memory for each observation, and one for each entity that has relations, or nothing else.

    Raises:
        UnreadableError: nothing in the file is of server-memory.
    """
    path = source.file()
    at = source.written_at(path)
    content = path.read_bytes()
    written = content.decode("utf-8-sig", "replace")
    graph = _graph(written)
    if not (graph.entities or graph.relations):
        raise UnreadableError(f"{path.name} has no entities of server-memory; name its memory.jsonl")
    yield NO_TIMES
    if written.count("\N{REPLACEMENT CHARACTER}") > content.count("\N{REPLACEMENT CHARACTER}".encode()):
        yield Remark("lost", REPLACED)
    yield from graph.damaged
    for entity in graph.entities:
        yield from _observed(entity, at)
        yield from _related(entity, graph.relations.get(str(entity["name"]), []), at)
    known = {entity["name"] for entity in graph.entities}
    for name, relations in graph.relations.items():
        if name not in known:
            yield Remark("guessed", NO_ENTITY, name)
            yield from _related({"name": name}, relations, at)


def _graph(written: str) -> Graph:
    """Read an array, a graph, or lines; a line may hold several objects that ran together."""
    graph = Graph()
    try:
        whole = json.loads(written)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("entities"), list):
        relations = whole.get("relations") or []
        whole = [*whole["entities"], *(relations if isinstance(relations, list) else [relations])]
    if isinstance(whole, list):
        for number, thing in enumerate(whole, 1):
            graph.add(f"item {number}", thing)
        return graph
    for number, line in enumerate(written.split("\n"), 1):  # other line ends may stand within texts
        _take_line(graph, f"line {number}", line)
    return graph


def _take_line(graph: Graph, place: str, line: str) -> None:
    decoder, end = json.JSONDecoder(), _after_space(line, 0)
    while end < len(line):
        try:
            thing, end = decoder.raw_decode(line, end)
        except (ValueError, RecursionError):
            graph.damaged.append(Remark("bad", "this line is damaged", place))
            return
        graph.add(place, thing)
        end = _after_space(line, end)


def _after_space(line: str, start: int) -> int:
    match = _SPACE.match(line, start)
    return match.end() if match else start


def _observed(entity: Thing, at: datetime) -> Iterator[PeerItem]:
    name, kind, held = str(entity["name"]), _kind(entity), entity.get("observations")
    if isinstance(held, str):
        yield Remark("guessed", ONE_TEXT, name)
    for number, text in (numbered := list(enumerate(_observations(held)))):
        source_id = f"{name}#{number}"
        if not isinstance(text, str):
            yield Remark("bad", NO_TEXT, source_id)
            continue
        metadata: dict[str, object] = {"entity": name}
        content = text
        if len(numbered) == 1:  # alone it would not say whom it is about
            metadata["observation"] = text
            content = f"{name}: {text}"
        yield _record(source_id, name, content, kind, metadata, at)


def _observations(held: object) -> list[object]:
    if held is None or isinstance(held, list):
        return cast("list[object]", held or [])
    return [held]


def _related(entity: Thing, relations: list[Thing], at: datetime) -> Iterator[PeerRecord]:
    """Yield an entity's relations as one memory; one that has nothing has its name."""
    if not relations and any(isinstance(each, str) for each in _observations(entity.get("observations"))):
        return
    name, kind = str(entity["name"]), _kind(entity)
    told = [{"relation": str(each["relationType"]), "to": str(each["to"])} for each in relations]
    said = "; ".join(f"{each['relation']} {each['to']}" for each in told)
    content = f"{name} ({kind})" if kind else name
    content += f": {said}" if said else ""
    metadata: dict[str, object] = {"entity": name, "relations": told} if told else {"entity": name}
    yield _record(name, name, content, kind, metadata, at)


def _kind(entity: Thing) -> str:
    return str(entity.get("entityType") or "")


def _record(
    source_id: str, name: str, content: str, kind: str, metadata: dict[str, object], at: datetime
) -> PeerRecord:
    """Return a memory; what is told of an entity later has another id, so that a graph that grew is no conflict."""
    ours = own_id(name, content)
    return PeerRecord(source_id, content, at, at, (name,), kind, metadata, id=ours, is_dated=False)
