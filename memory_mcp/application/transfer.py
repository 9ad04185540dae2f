"""Whole memories out of the store and into it, for the command line and the page: the lines of an export."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from memory_common.utf8 import NotUtf8Error, decoded
from memory_mcp.application.export_format import END, HEADER, check_header, dump, ended, load
from memory_mcp.domain.errors import ConflictError, InvalidArgumentError
from memory_mcp.domain.models import Record, Stored
from memory_mcp.maintenance.transfer import BATCH, Transfer

OnProgress = Callable[[int], None]
"""Gets how many memories are done."""


@dataclass(slots=True)
class Exported:
    """Counts of an export, which grow while its lines are taken."""

    memories: int = 0
    sections: int = 0
    """Of documents, whether they are among the memories or left out."""


async def export_lines(transfer: Transfer, exported: Exported, *, without_documents: bool) -> AsyncIterator[str]:
    """Yield an export, line by line; only one with its last line is whole."""
    yield json.dumps(HEADER)
    async for record in transfer.export(without_documents=without_documents):
        yield dump(record)
        exported.memories += 1
        exported.sections = transfer.sections
    exported.sections = transfer.sections
    yield json.dumps({END: exported.memories})


@dataclass(slots=True)
class Imported:
    """What became of the memories of an export."""

    created: int = 0
    known: int = 0
    pending: int = 0
    """Created, and without a vector yet."""
    conflicts: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many memories were dealt with."""
        return self.created + self.known + len(self.conflicts)

    def add(self, record: Record, outcome: Stored | ConflictError) -> None:
        if isinstance(outcome, ConflictError):
            self.conflicts.append(str(outcome))
            return
        if outcome.created and outcome.id != record.memory.id:
            self.renamed.append(f"id: {record.memory.id!r} was taken; imported that memory as {outcome.id!r}")
        self.created += outcome.created
        self.known += not outcome.created
        self.pending += outcome.created and not outcome.embedded


class EndsEarlyError(InvalidArgumentError):
    """The last line is missing."""


async def import_export(source: BinaryIO, transfer: Transfer, on_progress: OnProgress) -> Imported:
    """Import what an export holds; memories that exist are left alone.

    Raises:
        InvalidArgumentError: a line is invalid, or the last one is missing; what comes before was imported.
        StoreError: a batch was not written.
    """
    imported = Imported()
    for batch in _batches(records(source, "nothing from here on was read")):
        for record, outcome in zip(batch, await transfer.import_records(batch), strict=True):
            imported.add(record, outcome)
        on_progress(imported.done)
    return imported


def _batches(found: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield the records in batches; those before an invalid line come before its error."""
    batch: list[Record] = []
    try:
        for record in found:
            batch.append(record)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except InvalidArgumentError:
        yield batch
        raise
    yield batch


def records(source: BinaryIO, consequence: str) -> Iterator[Record]:
    """Yield the records; a missing end is reported after the last record.

    Raises:
        InvalidArgumentError: a line is invalid or the last one is missing; names the file, the line and the
            consequence.
    """
    name = source.name.strip("<>")  # from "<stdin>"
    try:
        yield from _read(_lines(source), consequence)
    except NotUtf8Error as error:
        raise InvalidArgumentError(name, f"{error}; {consequence}") from error
    except InvalidArgumentError as error:
        raise type(error)(name, str(error)) from error


def _lines(source: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(source, 1):
        yield decoded(line, number)


def _read(lines: Iterator[str], consequence: str) -> Iterator[Record]:
    check_header(next(lines, ""))
    spelled: set[tuple[str, str]] = set()
    """Ids of earlier lines that were not in NFC; a later line may compose to the same id."""
    count = 0
    for number, line in enumerate(lines, 2):
        if line.startswith(f'{{"{END}"'):
            return ended(number, line, count)
        if line.strip():
            record = load(number, line, consequence)
            key = record.memory.namespace, record.memory.id
            if record.may_be_numbered:
                spelled.add(key)
            yield replace(record, may_be_numbered=key in spelled)
            count += 1
    raise EndsEarlyError(
        "the last line", f"the file ends early, after {count} memories, which were imported; export it again"
    )
