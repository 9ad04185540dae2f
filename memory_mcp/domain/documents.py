"""Documents: files whose sections are memories.

A file is known by its URI; what it holds is known by its digest. So the documents of a namespace belong to a digest,
and two files with the same bytes have the same documents. A file may hold several: the messages of a mailbox.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from memory_mcp.domain.models import Embedded
from memory_mcp.domain.names import nfc

MAX_URI: Final = 4_096
MAX_TITLE: Final = 1_000
"""Maximum characters of a title or a heading; longer ones are cut."""
MAX_PART: Final = 1_000
PARTIAL: Final = "partial"
"""The kind of reason of such a document."""
PARTLY_WRITTEN: Final = "it is large, and not all of it is written yet; if no job does that, ingest it again"
PARTLY_REMOVED: Final = "it is being removed; if that was broken off, run `memory-mcp documents remove` again"
EMPTIED: Final = "its sections were deleted; ingest it again to have them back"
STEP: Final = timedelta(microseconds=1)
"""Between two sections: they are ordered by their time, as the turns of a conversation are."""


class DocumentState(StrEnum):
    """Whether a document can be relied on."""

    OK = "ok"
    FAILED = "failed"
    """It could not be read; `error` says why. What was read earlier is still found."""
    MISSING = "missing"
    """Its file is gone; what was read is still found."""
    PARTIAL = "partial"
    """Only some of its sections are there, or some old ones still: it is large and being written, or that was broken
    off."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file was when it was read."""

    digest: str
    """SHA-256 of its bytes, in hexadecimal."""
    size: int
    """Bytes."""
    modified_ns: int | None
    """Unix time; None for content that came with a call."""


@dataclass(frozen=True, slots=True)
class DocumentTitle:
    """What a document is called."""

    key: int
    id: str
    title: str | None
    uri: str

    @property
    def name(self) -> str:
        """Its title, or else the name of its file."""
        return self.title or unquote(self.uri.rpartition("/")[2]) or self.id


@dataclass(frozen=True, slots=True)
class Document:
    """A document, as it was last read."""

    key: int
    """The store's own number, in order of arrival."""
    id: str
    """Also the conversation of its sections."""
    namespace: str
    uri: str
    """Of its file, with the part as the fragment; one that is not missing, if there is any."""
    uris: tuple[str, ...]
    """Of all files with its bytes, in order."""
    part: str
    """Names it within its file; empty for the file itself."""
    title: str | None
    media_type: str
    pages: int | None
    stamp: FileStamp
    """Of the file that `uri` names."""
    state: DocumentState
    refusal: str | None
    """The kind of reason, if it could not be read (`readers.model.Refusal`)."""
    error: str | None
    """The reason, for a person."""
    sections: int
    """The live ones."""
    tags: tuple[str, ...]
    created_at: datetime
    """When it was first read; likewise the next."""
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SectionOutline:
    """A section of a document, without its text."""

    memory_id: str
    heading: tuple[str, ...]
    """From the outermost."""
    page: int | None


@dataclass(frozen=True, slots=True)
class SectionPlace:
    """Where a memory lies in a document."""

    id: str
    """The document's."""
    title: str | None
    uri: str
    heading: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class SectionDraft:
    """A section as it was read: the content of one memory, and where it lies."""

    content: str
    heading: tuple[str, ...] = ()
    page: int | None = None
    created_at: datetime | None = None
    """Of a turn in a conversation; None: it is ordered by its place alone."""

    @property
    def digest(self) -> bytes:
        """Return what tells whether a section of the same document has changed: its heading and its text."""
        told = json.dumps([nfc(part) for part in (*self.heading, self.content)], ensure_ascii=False)
        return hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class KnownSection:
    """A live section in the store."""

    memory_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document that a file may change."""

    id: str
    part: str
    digest: str
    """Of the bytes that it was read from."""
    revision: int
    """Grows with every change of it."""
    is_failed: bool
    sections: tuple[KnownSection, ...]
    """In their order."""
    is_emptied: bool = False
    """Whether it had sections, all of which are deleted."""


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section in its place: one that is kept, or a new one with its chunks."""

    draft: SectionDraft
    kept: str | None = None
    """The id of the memory that has its text; None: it is new."""
    embedded: Embedded | None = None
    """Only of a new one."""


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document as it is now."""

    part: str
    title: str | None
    media_type: str
    pages: int | None = None
    refusal: str | None = None
    error: str | None = None
    sections: Sequence[PlacedSection] | None = ()
    """All of them, in order; None leaves the old ones as they are."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it is now, and what is in it."""

    namespace: str
    uri: str
    stamp: FileStamp
    known: tuple[KnownDocument, ...]
    """What `known_documents` said of it; if that is no longer so, nothing is written."""
    documents: Sequence[DocumentChange] | None
    """All of them; None leaves those that its digest has as they are."""
    tags: tuple[str, ...] = ()
    """Added to every section."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a document, as an export has it."""

    uri: str
    size: int
    modified_ns: int | None
    seen_at: datetime
    missing_at: datetime | None


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """The place of a memory in a document, as an export has it."""

    memory_id: str
    heading: tuple[str, ...]
    page: int | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document, as an export has it: all but the memories that are its sections."""

    key: int
    """The store's own number; 0 in an import."""
    id: str
    namespace: str
    digest: str
    part: str
    title: str | None
    media_type: str
    pages: int | None
    refusal: str | None
    error: str | None
    tags: tuple[str, ...]
    dated_at: datetime
    """The time of its first section."""
    created_at: datetime
    updated_at: datetime
    files: tuple[FileRecord, ...]
    sections: tuple[SectionRecord, ...]
    """The live ones, in order."""


def matched(known: Sequence[KnownSection], drafts: Iterable[SectionDraft]) -> Iterator[PlacedSection]:
    """Yield the sections in order; one whose heading and text are known keeps its memory, the first of equal ones."""
    first = dict[bytes, str]()
    others = defaultdict[bytes, list[str]](list)  # few: a list for each would take more memory than the rest
    for section in reversed(known):
        if section.digest in first:
            others[section.digest].append(first[section.digest])
        first[section.digest] = section.memory_id
    for draft in drafts:
        digest = draft.digest
        kept = first.pop(digest, None)
        if alike := others.get(digest):
            first[digest] = alike.pop()
        yield PlacedSection(draft, kept)


def section_times(first: datetime, drafts: Iterable[SectionDraft]) -> Iterator[datetime]:
    """Yield the times of a document's sections, which grow: their own, else just after the one before."""
    before: datetime | None = None
    for draft in drafts:
        earliest = before + STEP if before else draft.created_at or first
        before = max(earliest, draft.created_at or earliest)
        yield before


BY_CLIENT: Final = "client: "
"""Begins the name of a principal that asked over MCP to have a folder watched."""
BY_WATCH: Final = "watch: "
"""Begins what asked for the jobs of a watch; its id follows."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A folder that is kept current."""

    id: str
    path: str
    """Absolute."""
    namespace: str
    tags: tuple[str, ...]
    asked_by: str
    """The name of the principal; after BY_CLIENT, if it was asked over MCP."""
    created_at: datetime

    @property
    def is_of_client(self) -> bool:
        """Whether it is kept only while clients may have folders watched."""
        return self.asked_by.startswith(BY_CLIENT)
