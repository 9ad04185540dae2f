"""Whole memories out of the store and into it, for the command line and the page: the lines of an export."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from memory_common.utf8 import NotUtf8Error, decoded
from memory_mcp.application.document_lines import dump_document
from memory_mcp.application.export_format import END, HEADER, WITHOUT_DOCUMENTS, check_header, dump, ended, load
from memory_mcp.domain.documents import DocumentRecord
from memory_mcp.domain.errors import ConflictError, InvalidArgumentError, StoreError
from memory_mcp.domain.models import Record, Stored
from memory_mcp.maintenance.transfer import BATCH, DOCUMENTS_AT_ONCE, Transfer

OnProgress = Callable[[int], None]
"""Gets how many memories are done."""


@dataclass(slots=True)
class Exported:
    """Counts of an export, which grow while its lines are taken."""

    memories: int = 0
    sections: int = 0
    """Of documents, whether they are among the memories or left out."""
    documents: int = 0
    watches: int = 0
    """Folders that are watched here, which no export has."""


async def export_lines(transfer: Transfer, exported: Exported, *, without_documents: bool) -> AsyncIterator[str]:
    """Yield an export, line by line; only one with its last line is whole."""
    yield json.dumps(WITHOUT_DOCUMENTS if without_documents else HEADER)
    async for record in transfer.export(without_documents=without_documents):
        yield dump(record)
        exported.memories += 1
        exported.sections = transfer.sections
    exported.sections = transfer.sections
    if not without_documents:
        async for document in transfer.export_documents():
            yield dump_document(document)
            exported.documents += 1
        exported.watches = await transfer.count_watches()
    yield json.dumps({END: exported.memories + exported.documents})


@dataclass(slots=True)
class Imported:
    """What became of the memories and the documents of an export."""

    done: int = 0
    """Memories that were dealt with."""
    created: int = 0
    known: int = 0
    pending: int = 0
    """Created, and without a vector yet."""
    documents: int = 0
    """Created."""
    conflicts: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def add(self, record: Record, outcome: Stored | ConflictError) -> None:
        self.done += 1
        if isinstance(outcome, ConflictError):
            self.conflicts.append(str(outcome))
            return
        if outcome.created and outcome.id != record.memory.id:
            self.renamed.append(f"id: {record.memory.id!r} was taken; imported that memory as {outcome.id!r}")
        self.created += outcome.created
        self.known += not outcome.created
        self.pending += outcome.created and not outcome.embedded

    def add_documents(self, outcomes: Sequence[bool | ConflictError]) -> None:
        self.conflicts += [str(outcome) for outcome in outcomes if isinstance(outcome, ConflictError)]
        self.documents += outcomes.count(True)


class ExportBackups:
    """See `maintenance.backups.ExportFiles`."""

    def __init__(self, make_transfer: Callable[[], Transfer]) -> None:
        self._make_transfer = make_transfer

    async def write(self, file: BinaryIO) -> None:
        async for line in export_lines(self._make_transfer(), Exported(), without_documents=False):
            file.write(f"{line}\n".encode())

    async def verify(self, source: Path) -> list[str]:
        def read() -> None:
            with source.open("rb") as file:
                for _ in records(file, "it cannot be imported whole"):
                    pass

        try:
            await asyncio.to_thread(read)
        except InvalidArgumentError as error:
            return [str(error)]
        except OSError as error:
            raise StoreError(f"{source} cannot be read ({error.strerror}); check the file") from error
        return []


class EndsEarlyError(InvalidArgumentError):
    """The last line is missing."""


async def import_export(source: BinaryIO, transfer: Transfer, on_progress: OnProgress) -> Imported:
    """Import what an export holds; memories that exist are left alone.

    Raises:
        InvalidArgumentError: a line is invalid, or the last one is missing; what comes before was imported.
        StoreError: a batch was not written.
    """
    imported = Imported()
    for memories, documents in _batches(records(source, "nothing from here on was read")):
        for record, outcome in zip(memories, await transfer.import_records(memories), strict=True):
            imported.add(record, outcome)
        imported.add_documents(await transfer.import_documents(documents))
        on_progress(imported.done)
    return imported


def _batches(found: Iterator[Record | DocumentRecord]) -> Iterator[tuple[list[Record], list[DocumentRecord]]]:
    """Yield the records in batches, memories first; those before an invalid line come before its error."""
    memories: list[Record] = []
    documents: list[DocumentRecord] = []
    try:
        for record in found:
            if isinstance(record, Record):
                memories.append(record)
            else:
                documents.append(record)
            if len(memories) == BATCH or len(documents) == DOCUMENTS_AT_ONCE:
                yield memories, documents
                memories, documents = [], []
    except InvalidArgumentError:
        yield memories, documents
        raise
    yield memories, documents


def records(source: BinaryIO, consequence: str) -> Iterator[Record | DocumentRecord]:
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


def _read(lines: Iterator[str], consequence: str) -> Iterator[Record | DocumentRecord]:
    check_header(next(lines, ""))
    spelled: set[tuple[str, str]] = set()
    """Ids of earlier lines that were not in NFC; a later line may compose to the same id."""
    count = 0
    for number, line in enumerate(lines, 2):
        if line.startswith(f'{{"{END}"'):
            return ended(number, line, count)
        if line.strip():
            record = load(number, line, consequence)
            yield _spelled(record, spelled) if isinstance(record, Record) else record
            count += 1
    raise EndsEarlyError("the last line", f"the file ends early, after {count} lines, which were read; export it again")


def _spelled(record: Record, spelled: set[tuple[str, str]]) -> Record:
    key = record.memory.namespace, record.memory.id
    if record.may_be_numbered:
        spelled.add(key)
    return replace(record, may_be_numbered=key in spelled)
