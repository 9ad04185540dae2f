"""The domain model: memories, queries and results.

Times are aware datetimes in UTC. A vector is float32 little-endian bytes, as it comes over the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

MAX_CONTENT: Final = 1_000_000
"""Maximum characters of one memory."""
MAX_NAMESPACE: Final = 128
MAX_ID: Final = 128
LONGEST_NUMBERED: Final = MAX_ID - 8
"""Maximum characters of an id before a number that makes it unique."""
MAX_CONVERSATION_ID: Final = 256
MAX_TYPE: Final = 64
DOCUMENT: Final = "document"
"""The type of the memories that are sections of documents."""
MAX_TAG: Final = 128
MAX_TAGS: Final = 64
MAX_METADATA: Final = 65_536
"""Maximum characters of a memory's metadata as JSON."""
MAX_METADATA_DEPTH: Final = 100
"""Maximum nesting of metadata; clients cannot parse more than 200 levels (pydantic's limit)."""
MAX_ITEMS: Final = 1_000
"""Maximum memories in one bulk store."""
LAST_REVISION: Final = 2**31 - 1
MAX_QUERY: Final = 10_000

Metadata = Mapping[str, object]
"""A JSON object; the tools check that it is one."""


class Lane(StrEnum):
    """The priority of an embedding call."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Task(StrEnum):
    """What a text is for; a model may treat queries and documents differently."""

    QUERY = "query"
    DOCUMENT = "document"


DEFAULT_TYPE: Final = "note"
"""The type of a memory stored without one."""


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory to store; a field that is None was not given, so it matches any value of a duplicate."""

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
    """The part `content[start:end]` of a memory, with or without its vector."""

    start: int
    end: int
    vector: bytes | None = None
    error: str | None = None
    """Why the embedder refused to embed it in this space."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The passages of one memory's content, in order, and the space of their vectors."""

    chunks: tuple[Chunk, ...]
    space: Space | None


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space; vectors of different spaces are never compared."""

    id: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored memory."""

    key: int
    """The store's own number, in order of arrival."""
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
    """A memory with its history, for export and import; `memory.key` and `embedded` belong to the store."""

    memory: Memory
    revisions: tuple[Revision, ...] = ()
    may_be_numbered: bool = False
    """Whether its id, once in NFC, may clash with another's; it then gets a number appended."""
    replaces_deleted: bool = False
    """Whether a deleted memory with its id makes room for it, whatever that one says."""


@dataclass(frozen=True, slots=True)
class Event:
    """A write in the change log."""

    seq: int
    at: datetime
    namespace: str
    kind: str
    """store, tag, update, delete, undelete, purge, embed, import, space, restore or document.

    The last names documents in place of memories."""
    memory_ids: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissedChanges:
    """The change log no longer has the next write, so the reader must start over."""

    generation: int
    """Where to continue: note this first, then read everything again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of a write."""

    id: str
    created: bool
    """False for an exact duplicate of the memory that `id` names."""
    embedded: bool
    merged: tuple[str, ...] = ()
    """The tags that a duplicate added to it."""


@dataclass(frozen=True, slots=True)
class Change:
    """The new values of an update; None leaves a field unchanged."""

    content: str | None = None
    tags: tuple[str, ...] | None = None
    type: str | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on memories; all are checked inside the search."""

    namespace: str
    tags: tuple[str, ...] = ()
    tag_match: Literal["any", "all"] = "any"
    type: str | None = None
    metadata: Metadata = field(default_factory=dict)
    """Top-level keys: each with a value to equal, or comparisons (`domain.comparisons`)."""
    conversation_id: str | None = None
    after: datetime | None = None
    """Inclusive."""
    before: datetime | None = None
    """Exclusive."""
    documents: bool | None = None
    """Whether only memories of type `document` are meant, or only others; see `Snapshot.documents`."""

    @property
    def is_narrow(self) -> bool:
        """Whether there is any filter beside the namespace and `documents`."""
        return self != Filters(self.namespace, tag_match=self.tag_match, documents=self.documents)


class Match(NamedTuple):  # hundreds in each search: twice as fast as a frozen dataclass
    """A hit of a vector search."""

    key: int
    score: float
    """The cosine, 0-1."""
    passage: tuple[int, int] | None = None
    """Start and end of the best passage, if the memory has more than one."""


@dataclass(frozen=True, slots=True)
class KeywordMatches:
    """The hits of a keyword search."""

    max_score: float
    """The highest BM25 score that any memory could have."""
    scores: Mapping[int, float]
    """The BM25 score of each memory by its key, best first."""
    known: float
    """The share of the query's words, function words too, that some memory of the namespace has, 0-1; 1 without any."""
    words: int
    """How many they are."""


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """How common a query's words are in a namespace."""

    memories: int
    counts: Mapping[str, int]
    """How many memories contain each word, as the query spells it; function words are left out."""


class Outline(NamedTuple):  # dozens are made in a search
    """What is known of a memory without reading a long content."""

    created_at: datetime
    size: int
    """Bytes of its content in UTF-8."""
    content: str | None
    """None where it is longer than was asked for."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The keys of the memories just before and after one in its conversation, nearest first."""

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """Cosines of a query to a sample of a namespace's passages: the scores to expect by chance."""

    chunks: int
    """Passages of the namespace with a vector."""
    cosines: tuple[float, ...]
    """The cosines of an even sample of them."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of a namespace."""

    memories: int
    conversations: int
    tags: Mapping[str, int]
    """Memories for each of the most used tags."""
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of the whole store."""

    memories: int
    namespaces: int
    bytes: int
    """Size of its files on disk."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first."""

    memories: tuple[Memory, ...]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A passage waiting for a vector."""

    passage_id: int
    start: int
    end: int
    content: str
    """The memory's whole content."""

    @property
    def text(self) -> str:
        """The passage's text."""
        return self.content[self.start : self.end]


@dataclass(frozen=True, slots=True)
class MissingVectors:
    """A memory without passages in some space."""

    key: int
    content: str


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """The embedder's result for one text: a vector or an error."""

    vector: bytes | None
    truncated: bool = False
    consumed_chars: int = 0
    """Characters that the vector covers, if the text was truncated."""
    error: str = ""
    """Why there is no vector; ends with what refused it, in brackets, as in `DaemonStatus.made_by`."""
    temporary: bool = False
    """Whether the same embedder may make the vector later."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedder's answer, with one item for each text."""

    space: Space
    items: tuple[EmbeddedText, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """When a store was last written."""

    generation: int
    first: datetime


class Condition(StrEnum):
    """The condition of a part of the program."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There was nothing to check; `detail` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a health check."""

    condition: Condition
    state: str
    """One word; empty if skipped."""
    cause: str = ""
    fix: str = ""
    detail: str = ""
    """More information, whatever the condition."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Memories with a pending passage, and memories with a refused one; a memory may count in both."""

    pending: int
    failed: int
    last_error: str = ""
    """Why the latest one was refused."""
    last_failed: str = ""
    """The id of its memory."""
