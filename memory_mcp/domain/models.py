"""The words of the program: memories, what is asked of them, and what is found.

Times are aware datetimes in UTC. A vector is float32 little-endian bytes, as it comes over the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

MAX_CONTENT: Final = 1_000_000
"""Characters of one memory."""
MAX_NAMESPACE: Final = 128
MAX_ID: Final = 128
LONGEST_NUMBERED: Final = MAX_ID - 8
"""Characters of an id before the number that tells it from another."""
MAX_CONVERSATION_ID: Final = 256
MAX_TYPE: Final = 64
MAX_TAG: Final = 128
MAX_TAGS: Final = 64
MAX_METADATA: Final = 65_536
"""Characters of a memory's metadata as JSON."""
MAX_METADATA_DEPTH: Final = 100
"""Levels of objects and lists in it; what is nested deeper than 200 no client can read (pydantic's limit)."""
MAX_ITEMS: Final = 1_000
"""Memories in one bulk store."""
MAX_QUERY: Final = 10_000

Metadata = Mapping[str, object]
"""A JSON object; the tools check that it is one."""


class Lane(StrEnum):
    """Who waits for a vector."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Task(StrEnum):
    """What a text is; a model may treat the two differently."""

    QUERY = "query"
    DOCUMENT = "document"


DEFAULT_TYPE: Final = "note"
"""The type of a memory that is given none."""


@dataclass(frozen=True, slots=True)
class NewMemory:
    """What a caller wants remembered; a field that is None was not given, and so differs from no memory's."""

    content: str
    namespace: str
    tags: tuple[str, ...] = ()
    type: str | None = None
    """None: DEFAULT_TYPE."""
    metadata: Metadata | None = None
    """None: an empty object."""
    conversation_id: str | None = None
    created_at: datetime | None = None
    """None: the moment of the write."""
    id: str | None = None
    """None: the store makes one."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part `content[start:end]` of a memory, with its vector or without one yet."""

    start: int
    end: int
    vector: bytes | None = None
    error: str | None = None
    """Why what computes the vectors of this space refused it one."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The passages of one memory's content, in order, and the space of those that have a vector."""

    chunks: tuple[Chunk, ...]
    space: Space | None


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space; vectors of two of them are never compared."""

    id: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory as it is stored."""

    key: int
    """The store's own number, in the order of arrival."""
    id: str
    namespace: str
    content: str
    tags: tuple[str, ...]
    type: str
    metadata: Metadata
    conversation_id: str | None
    created_at: datetime
    updated_at: datetime
    revision: int
    embedded: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """What a memory was before an update."""

    revision: int
    content: str
    tags: tuple[str, ...]
    type: str
    metadata: Metadata
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """A memory with all that it was, as it is exported and imported; `memory.key` and `embedded` are the store's."""

    memory: Memory
    revisions: tuple[Revision, ...] = ()
    may_be_numbered: bool = False
    """Whether its id, in Unicode's composed form, may be another's: it then gets a number behind it."""


@dataclass(frozen=True, slots=True)
class Event:
    """A write, as the change log has it."""

    seq: int
    at: datetime
    namespace: str
    kind: str
    """store, tag, update, delete, undelete, purge, embed, import, space or restore."""
    memory_ids: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissedChanges:
    """Says that the change log no longer holds the next write: whoever reads it must start over."""

    generation: int
    """Where to go on from: read this first, then everything again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to a write."""

    id: str
    created: bool
    """False for an exact duplicate of the memory that `id` names."""
    embedded: bool
    merged: tuple[str, ...] = ()
    """The tags that a duplicate added to it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an update replaces; None leaves a field as it is."""

    content: str | None = None
    tags: tuple[str, ...] | None = None
    type: str | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a memory must be to be found; all of it is checked inside the search."""

    namespace: str
    tags: tuple[str, ...] = ()
    tag_match: Literal["any", "all"] = "any"
    type: str | None = None
    metadata: Metadata = field(default_factory=dict)
    """Top-level members: each a value to equal, or comparisons (`domain.comparisons`)."""
    conversation_id: str | None = None
    after: datetime | None = None
    """Inclusive."""
    before: datetime | None = None
    """Exclusive."""

    @property
    def is_narrow(self) -> bool:
        """Whether they ask for more than a namespace."""
        return self != Filters(self.namespace, tag_match=self.tag_match)


class Match(NamedTuple):  # hundreds are made in a search: twice as fast as a frozen dataclass
    """A memory that one kind of search found."""

    key: int
    score: float
    """The cosine for vectors, 0-1; the BM25 score for keywords."""
    passage: tuple[int, int] | None = None
    """Start and end of the best passage, where the memory has more than one."""


@dataclass(frozen=True, slots=True)
class KeywordMatches:
    """What the words of a query found."""

    max_score: float
    """The best BM25 score that a memory could have."""
    matches: tuple[Match, ...]
    """Best first."""


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """How common the words of a query are in a namespace."""

    memories: int
    counts: Mapping[str, int]
    """How many of the memories contain each word, as the query writes it; without function words."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The keys of what was said just before and after a memory in its conversation, the nearest first."""

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """How near the passages of a namespace are to a query by chance."""

    chunks: int
    """Passages of the namespace that have a vector."""
    cosines: tuple[float, ...]
    """Of some of them, chosen evenly."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a namespace holds."""

    memories: int
    conversations: int
    tags: Mapping[str, int]
    """How many memories have each tag; the most used ones."""
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the store holds, all namespaces together."""

    memories: int
    namespaces: int
    bytes: int
    """Of its files on the disk."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first."""

    memories: tuple[Memory, ...]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A passage in the queue for a vector."""

    passage_id: int
    start: int
    end: int
    content: str
    """All of the memory's content."""

    @property
    def text(self) -> str:
        """The passage alone."""
        return self.content[self.start : self.end]


@dataclass(frozen=True, slots=True)
class MissingVectors:
    """A memory that has no passage in some space."""

    key: int
    content: str


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """What the embedder made of one text: a vector or an error."""

    vector: bytes | None
    truncated: bool = False
    consumed_chars: int = 0
    """Characters that the vector has seen, where it was truncated."""
    error: str = ""
    """Why there is no vector, and in brackets at its end what refused it, as `DaemonStatus.made_by` has it."""
    temporary: bool = False
    """Whether the same embedder may make the vector some time later."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedder's answer, one item for each text."""

    space: Space
    items: tuple[EmbeddedText, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """When a store was written."""

    generation: int
    first: datetime


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """How the circuit breaker in front of the embedder is."""

    state: str = "closed"
    trips: int = 0
    """How often it has opened since the process started."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What an embedder is, and what it has done since it started."""

    state: str
    model: str
    engine: str
    device: str
    precision: str
    space_id: str
    version: str
    uptime_s: float
    counters: Mapping[str, float]
    """By the names that the wire gives them; those of a lane have its name before theirs."""
    made_by: str = ""
    """The engine and the versions that make the vectors: what one refused, another may compute. Empty while unknown."""


class Condition(StrEnum):
    """How a part of the program is."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There is nothing to judge, and `detail` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a part says of its own health."""

    condition: Condition
    state: str
    """One word; empty where nothing was judged."""
    cause: str = ""
    fix: str = ""
    detail: str = ""
    """What else is worth knowing, in order or not."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Memories with a passage that waits for a vector, and those with one that was refused; both may be of one."""

    pending: int
    failed: int
    last_error: str = ""
    """Why the latest of them was refused."""
    last_failed: str = ""
    """The id of that one's memory."""
