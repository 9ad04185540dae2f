"""What an import will do, record by record, before it does it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Final, cast

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import DEFAULT_TYPE, Record
from memory_mcp.domain.names import folded, tags_once
from memory_mcp.imports.model import LIVE, Peer, PeerItem, PeerRecord, PeerVersion, Remark

IMPORT: Final = "import"
"""The member of a memory's metadata that says where it is from."""
UNDATED: Final = "undated"
"""Its member for a memory whose source has no times."""
TAGS: Final = "tags"
"""Its member with the digest of the tags: a merge adds some, and raises no revision."""
DELETED: Final = "deleted"
"""Its member for a memory that its source has as deleted."""
DELETED_TAG: Final = "deleted"
ParseLine = Callable[[str], Record]
"""Takes a line of an export: the bounds of what others wrote are checked in one place."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where memories go, and how they are marked."""

    namespace: str
    """For what the peer keeps in its default."""
    run: str
    with_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of a record."""

    source_id: str
    id: str
    """Ours."""
    namespace: str
    state: str
    """In the source."""
    taken: bool
    versions: int


@dataclass(slots=True)
class Plan:
    """Counts what is found, and makes records of it."""

    peer: Peer
    target: Target
    parse: ParseLine
    live: int = 0
    deleted: int = 0
    versions: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Source ids, each with the reason."""
    remarks: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """Kind and sentence, with the source id of each record, empty for what has none."""
    records: list[Planned] = field(default_factory=list)
    """All but the skipped ones."""
    namespaces: Counter[str] = field(default_factory=Counter)
    """Where the memories will lie."""
    ids: set[tuple[str, str]] = field(default_factory=set)
    """Namespace and id of the records that were seen."""

    @property
    def taken(self) -> int:
        """How many records there are to import."""
        return self.namespaces.total()

    def record(self, item: PeerItem) -> Record | None:
        """Return the record to import; None if there is none."""
        if isinstance(item, Remark):
            self._remember(item)
            return None
        is_live = item.state == LIVE
        self.live += is_live
        self.deleted += not is_live
        if not (is_live or self.target.with_deleted):
            place = item.id or item.source_id, item.namespace or self.target.namespace
            self.records.append(Planned(item.source_id, *place, item.state, taken=False, versions=len(item.versions)))
            return None
        try:
            record = _marked(self.parse(json.dumps(_line(self.peer, self.target, item), default=datetime.isoformat)))
        except InvalidArgumentError as error:
            self.skipped.append((item.source_id, str(error)))
            return None
        place = record.memory.namespace, record.memory.id
        if place in self.ids:
            self.skipped.append((item.source_id, "another record of this source has its id, or says the same"))
            return None
        self.ids.add(place)
        self.namespaces[record.memory.namespace] += 1
        self.versions += len(record.revisions)
        planned = Planned(item.source_id, place[1], place[0], item.state, taken=True, versions=len(record.revisions))
        self.records.append(planned)
        return record

    def _remember(self, remark: Remark) -> None:
        self.remarks[remark.kind, remark.what].append(remark.source_id)
        if remark.kind == "bad":
            self.live += 1
            self.skipped.append((remark.source_id, remark.what))


def tags_digest(tags: Iterable[str]) -> str:
    """Return the digest of tags, whatever their order and spelling."""
    return sha256(json.dumps(sorted(map(folded, tags))).encode()).hexdigest()[:16]


def _marked(record: Record) -> Record:
    """Return the record with the digest of the tags that are to be stored."""
    metadata = record.memory.metadata
    origin = {**cast("Mapping[str, object]", metadata[IMPORT]), TAGS: tags_digest(record.memory.tags)}
    return replace(record, memory=replace(record.memory, metadata={**metadata, IMPORT: origin}))


def _line(peer: Peer, target: Target, item: PeerRecord) -> dict[str, object]:
    count = len(item.versions)
    origin: dict[str, object] = {
        "peer": peer.name,
        "source_id": item.source_id,
        "run": target.run,
        "revision": count + 1,
    }
    if not item.is_dated:
        origin[UNDATED] = True
    if item.state != LIVE:
        origin[DELETED] = True
    if IMPORT in item.metadata:
        origin["raw"] = item.metadata[IMPORT]
    tags = (*item.tags, *([] if item.state == LIVE else [DELETED_TAG]))
    return {
        "id": item.id or item.source_id,
        "namespace": item.namespace or target.namespace,
        "conversation_id": item.conversation_id,
        "created_at": item.created_at,
        **_fields(count + 1, item.content, tags, item.type, {**item.metadata, IMPORT: origin}, item.updated_at),
        "revisions": [_version(number, was) for number, was in enumerate(item.versions, 1)],
    }


def _version(number: int, was: PeerVersion) -> dict[str, object]:
    return _fields(number, was.content, was.tags, was.type, was.metadata, was.at)


def _fields(
    number: int, content: str, tags: tuple[str, ...], kind: str, metadata: Mapping[str, object], at: datetime
) -> dict[str, object]:
    return {
        "revision": number,
        "content": content,
        "tags": tags_once(tags),
        "type": kind or DEFAULT_TYPE,
        "metadata": metadata,
        "updated_at": at,
    }
