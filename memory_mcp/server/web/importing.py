"""Imports from the page: read everything first, say what would come of it, wait for a word, then do it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from memory_mcp.application.moving_in import Move, Reporting
from memory_mcp.application.transfer import EndsEarlyError, Imported, import_export, records
from memory_mcp.domain.errors import InvalidArgumentError, TransferError
from memory_mcp.domain.models import Record
from memory_mcp.imports.moving import Moved
from memory_mcp.imports.planning import Plan
from memory_mcp.server.web.operations import Operation
from memory_mcp.server.web.view import Visit
from memory_mcp.tools.services import Services

SHOWN: Final = 20
"""Lines of each kind in a report."""
COUNTED: Final = 256
"""Memories between two words about the progress of counting."""


@dataclass(frozen=True, slots=True)
class ReportLines:
    """The first of some lines, and how many there are."""

    first: Sequence[str]
    count: int

    @classmethod
    def of(cls, lines: Sequence[str]) -> ReportLines:
        return cls(lines[:SHOWN], len(lines))

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.first)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do."""

    memories: int
    versions: int = 0
    deleted: int = 0
    """In the source; they are left out unless they were asked for."""
    namespaces: Mapping[str, int] | None = None
    remarks: Sequence[tuple[str, str, int]] = ()
    """Kind, sentence, and how many memories it is true of."""
    skipped: ReportLines = ReportLines((), 0)
    is_cut: bool = False
    """Whether the file ends early."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    created: int
    known: int
    pending: int
    conflicts: ReportLines
    differences: ReportLines = ReportLines((), 0)
    deleted_there: ReportLines = ReportLines((), 0)
    renamed: ReportLines = ReportLines((), 0)
    run: str | None = None
    """By which it can be undone."""


async def import_own(visit: Visit, source: Path, operation: Operation) -> ImportReport:
    """Import a file that `memory-mcp export` or this page wrote.

    Raises:
        InvalidArgumentError: a line of it is invalid.
        MemoryMcpError: the store cannot be written, or the caller may not.
    """

    async def work(services: Services) -> Imported:
        with source.open("rb") as file:
            return await import_export(file, services.transfer(), operation.advance)

    operation.enter("reading")
    with _called(source, operation.subject):
        plan = await visit.operate("import", lambda _: asyncio.to_thread(_counted, source, operation))
        await operation.confirmed(plan)
        operation.enter("importing", plan.memories)
        done = await visit.operate("import", work, "bulk")
    renamed = ReportLines.of(done.renamed)
    return ImportReport(done.created, done.known, done.pending, ReportLines.of(done.conflicts), renamed=renamed)


def _counted(source: Path, operation: Operation) -> ImportPlan:
    """Read a file to its end; in a thread, because its lines are parsed."""
    memories, versions, is_cut = 0, 0, False
    namespaces: dict[str, int] = {}
    with source.open("rb") as file, contextlib.suppress(EndsEarlyError):
        is_cut = True
        for record in records(file, "nothing was imported"):
            if not isinstance(record, Record):
                continue  # a document: it names memories that were counted
            memories, versions = memories + 1, versions + len(record.revisions)
            namespaces[record.memory.namespace] = namespaces.get(record.memory.namespace, 0) + 1
            if memories % COUNTED == 0:
                operation.advance(memories)
                if operation.state.is_final:
                    break
        is_cut = False
    return ImportPlan(memories, versions, namespaces=namespaces, is_cut=is_cut)


async def import_peer(visit: Visit, move: Move, operation: Operation) -> ImportReport:
    """Import another system's memories.

    Raises:
        TransferError: what it keeps cannot be read.
        MemoryMcpError: the store cannot be written, or the caller may not.
    """
    operation.enter("reading")
    with _called(move.path, operation.subject):
        plan = await visit.operate("import", lambda _: move.plan())
        await operation.confirmed(_shown(plan))
        operation.enter("importing", plan.taken)
        begun = False

        def on_begin() -> None:
            nonlocal begun
            begun = True

        reporting = Reporting(on_begin, operation.advance, partial(_compare, operation, plan.taken))
        moved = await visit.operate("import", lambda services: move.run(plan, services, reporting), "bulk")
    return _told(moved, move.target.run if begun else None)


def _compare(operation: Operation, total: int, compared: int) -> None:
    if operation.step != "comparing":
        operation.enter("comparing", total)
    operation.advance(compared)


@contextlib.contextmanager
def _called(path: Path, name: str) -> Iterator[None]:
    """Let errors name what the user chose, not the copy that we made of it."""
    try:
        yield
    except (InvalidArgumentError, TransferError) as error:
        raise TransferError(str(error).replace(str(path), name)) from error


def _shown(plan: Plan) -> ImportPlan:
    remarks = [(kind, what, len(source_ids)) for (kind, what), source_ids in plan.remarks.items()]
    skipped = ReportLines.of([f"{source_id}: {why}" for source_id, why in plan.skipped])
    return ImportPlan(plan.taken, plan.versions, plan.deleted, dict(plan.namespaces), remarks, skipped)


def _told(moved: Moved, run: str | None) -> ImportReport:
    return ImportReport(
        moved.created,
        moved.known,
        moved.pending,
        ReportLines.of(moved.conflicts),
        ReportLines.of(moved.differences),
        ReportLines.of(moved.deleted_there),
        run=run,
    )
