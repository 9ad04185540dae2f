"""Jobs that read files into the store: a state machine, and what became of each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from memory_mcp.domain.errors import ConflictError

MAX_JOB_FILES: Final = 100_000


class JobState(StrEnum):
    """What a job does now."""

    QUEUED = "queued"
    READING = "reading"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    DONE = "done"
    """Every file was dealt with; some may have failed."""
    FAILED = "failed"
    """It could not go on; `error` says why."""
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return not TRANSITIONS[self]


_ENDS: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
_WORK: Final = frozenset({JobState.READING, JobState.CHUNKING, JobState.EMBEDDING})
TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: _ENDS | {JobState.READING},
    JobState.READING: _ENDS | _WORK,
    JobState.CHUNKING: _ENDS | _WORK,
    JobState.EMBEDDING: _ENDS | _WORK,
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""What may follow what. The next file is read while one is embedded, so the three of the work follow in any order."""


def check_transition(job_id: str, before: JobState, after: JobState) -> None:
    """Check that a job may change its state so; that it stays as it is, may always be.

    Raises:
        ConflictError: it may not.
    """
    if after is not before and after not in TRANSITIONS[before]:
        raise ConflictError(f"job: {job_id!r} is {before.value} and cannot become {after.value}")


class JobFileState(StrEnum):
    """What became of a file."""

    QUEUED = "queued"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    """It was refused, or each document in it was; `error` says why."""
    LEFT_OUT = "left_out"
    """By a rule: it may hold secrets, or is ignored; `error` says by which."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file that came with a call."""

    data: bytes
    title: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class NewJobFile:
    """A file that a job is to read, or leaves out."""

    uri: str
    content: FileContent | None = None
    """None: it is read where it lies."""
    left_out: str | None = None
    """Why; None: it is read."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be done."""

    namespace: str
    tags: tuple[str, ...]
    roots: tuple[str, ...]
    """Absolute folders, below which its files must lie when they are opened; none for content."""
    folders: tuple[str, ...] = ()
    """URIs of folders that were walked to the end: known files below them that were not found are missing."""
    is_forced: bool = False
    """Whether files that seem unchanged are read too."""
    asked_by: str = ""
    """The name of the principal."""
    begun_at: datetime | None = None
    """Before its folders were walked: it counts as created then; None: when it is queued."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file of a job."""

    place: int
    """Its number in the job, from 0."""
    uri: str
    state: JobFileState
    error: str | None = None
    sections: int = 0
    """That were new or changed."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """A job, and how far it has come."""

    id: str
    new: NewJob
    state: JobState
    error: str | None
    files: int
    counts: Mapping[JobFileState, int]
    """Files by what became of them."""
    sections: int
    """New or changed ones, so far."""
    created_at: datetime
    updated_at: datetime

    @property
    def finished(self) -> int:
        """Return the number of files that were dealt with."""
        return self.files - self.counts.get(JobFileState.QUEUED, 0)
