"""A job's files on their way to the store: in a line, in which they wait for the chunks of their sections."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from memory_mcp.documents.found import FoundDocuments
from memory_mcp.documents.readers.model import RefusedError
from memory_mcp.documents.spool import Spool
from memory_mcp.domain.documents import FileChange
from memory_mcp.domain.jobs import JobFile, JobFileState
from memory_mcp.domain.models import Embedded

LARGE: Final = 500
"""Sections that come or go, from more than which a file is not written in one transaction: that would take half a
second, while nobody else can write."""


@dataclass(slots=True)
class PreparedFile:
    """A file of a job, on its way to the store; close it when it is written, or will not be."""

    file: JobFile
    """What became of it."""
    change: FileChange | None = None
    """What is written once all is embedded."""
    found: FoundDocuments | None = None
    """The documents of the change, if the file was read."""
    spool: Spool | None = None
    """Where they lie."""
    is_pending: bool = False
    """Whether a new section has no vector yet."""
    left: int = 0
    """New sections whose chunks did not come yet."""
    gone: int = 0
    """Known sections that are to be deleted."""

    @property
    def work(self) -> int:
        """Return how many sections come or go."""
        return self.gone + (self.found.new if self.found else 0)

    @property
    def is_large(self) -> bool:
        """Whether it is written in parts, so far as it did not fail."""
        return self.work > LARGE and self.change is not None

    def new_texts(self) -> Iterator[str]:
        """Yield the contents of the new sections, in order."""
        return iter(()) if self.found is None else self.found.new_texts()

    def embed(self, made: Iterable[Embedded]) -> None:
        """Take the chunks of the next new sections, as many as are left; without room for them the file fails."""
        for embedded in islice(made, self.left):
            self.left -= 1
            if self.change is None or self.found is None:
                continue  # it has failed: its chunks are passed over, up to those of the next file
            try:
                self.found.embed(embedded)
            except RefusedError as error:
                self.file, self.change, self.is_pending = failed_file(self.file, error), None, False
            else:
                self.is_pending |= any(chunk.vector is None and not chunk.error for chunk in embedded.chunks)

    def close(self) -> None:
        """Drop what was read."""
        if self.spool is not None:
            self.spool.close()


def failed_file(file: JobFile, error: RefusedError) -> JobFile:
    """Return a file that was refused."""
    return replace(file, state=JobFileState.FAILED, error=error.sentence, sections=0)


def distribute(made: Sequence[Embedded], waiting: deque[PreparedFile]) -> None:
    """Give the files in the line the chunks of their sections, in order."""
    left = iter(made)
    for prepared in waiting:
        prepared.embed(left)
        if prepared.left:
            return


def portion(waiting: deque[PreparedFile]) -> list[PreparedFile]:
    """Take files off the line that are embedded: as many as one transaction writes in a short time, at least one."""
    taken = [waiting.popleft()]
    work = taken[0].work
    while waiting and not waiting[0].left and (work := work + waiting[0].work) <= LARGE:
        taken.append(waiting.popleft())
    return taken
