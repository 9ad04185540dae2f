"""Backups, exports and imports."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse

from memory_mcp.application.moving_in import Wanted, make_move
from memory_mcp.application.transfer import Exported, export_lines
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError, MemoryMcpError, TransferError
from memory_mcp.domain.principal import Scope
from memory_mcp.imports.model import PEERS, Peer
from memory_mcp.imports.moving import MovingIn, Undone
from memory_mcp.imports.reading import private_folder
from memory_mcp.maintenance.backups import EXPORT, BackupFile
from memory_mcp.maintenance.transfer import BATCH, Transfer
from memory_mcp.server.web.importing import ImportReport, import_own, import_peer
from memory_mcp.server.web.operations import Operation
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.uploads import UploadBounds, receive
from memory_mcp.server.web.view import Action, Answer, Nav, NoArguments, PageView, Stream, Visit
from memory_mcp.settings import Settings
from memory_mcp.tools.base import Arguments, parse
from memory_mcp.tools.services import Services

BOUNDS: Final = UploadBounds(files=1, file_bytes=4_000_000_000, bytes=4_000_000_000)
OWN: Final = "memory-mcp"
"""The system whose file an export is."""
KINDS: Final = {EXPORT: "export", ".dump": "dump"}
"""Of backups that are no copy of the store's file."""
ENDED: Final = 3
"""Operations that are shown after their end."""


@dataclass(frozen=True, slots=True)
class ShownBackup:
    """A backup as the list has it."""

    name: str
    path: Path
    moment: datetime
    bytes: int

    @property
    def kind(self) -> str:
        """Of its file, which says how it comes back."""
        return KINDS.get(self.path.suffix, "copy")

    @property
    def restore(self) -> str:
        """The command that brings it back."""
        command = "import" if self.kind == "export" else "restore"
        return f"memory-mcp {command} {shlex.quote(str(self.path))}"


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    del query

    async def work(services: Services) -> tuple[bool, Sequence[BackupFile]]:
        backups = services.backups
        return backups.are_possible, await asyncio.to_thread(backups.held) if backups.are_possible else ()

    operations = _latest(visit.operations.of(visit.principal.id))
    are_possible, held = await visit.operate("backup", work)
    return {
        "are_possible": are_possible,
        "daily": _daily(visit.settings),
        "backups": (shown := [_shown(each) for each in held]),
        "kinds": sorted({backup.kind for backup in shown}),
        "operations": operations,
        "is_running": any(not each.state.is_final for each in operations),
        "peers": sorted(PEERS.values(), key=lambda peer: peer.name),
        "own": OWN,
        "bounds": BOUNDS,
        "is_local": visit.principal.is_local,
        "is_read_only": visit.settings.read_only,
    }


def _daily(settings: Settings) -> str:
    """Return whether clients make backups by themselves."""
    if not settings.backup_enabled:
        return "off"
    return "elsewhere" if settings.is_copied_elsewhere else "made"


def _latest(operations: Sequence[Operation]) -> Sequence[Operation]:
    """Return what goes on, and the latest of what has ended."""
    ended = [operation for operation in operations if operation.state.is_final][:ENDED]
    return [operation for operation in operations if not operation.state.is_final or operation in ended]


def _shown(held: BackupFile) -> ShownBackup:
    try:
        size = held.path.stat().st_size
    except OSError:
        size = 0  # it has just been replaced by a newer one
    return ShownBackup(held.path.name, held.path, held.moment, size)


async def back_up(visit: Visit, given: NoArguments) -> Answer:
    """Begin a backup."""
    del given

    async def work(operation: Operation) -> str:
        operation.enter("copying")
        path = await visit.operate("backup", lambda services: services.backups.take(), None)
        return path.name

    visit.principal.require_operator()
    return _begun(visit.begin("backup", "", work, can_cancel=False))


class BackupName(Arguments):
    name: str


async def verify(visit: Visit, given: BackupName) -> Answer:
    """Begin to read a backup to its end."""

    async def work(operation: Operation) -> Sequence[str]:
        operation.enter("verifying")
        return await visit.operate("backup", lambda services: services.backups.verify(given.name))

    visit.principal.require_operator()
    return _begun(visit.begin("verify", given.name, work, can_cancel=False))


def _begun(operation: Operation) -> Answer:
    return Answer(data={"operation": operation.id})


class OperationId(Arguments):
    id: str


async def confirm(visit: Visit, given: OperationId) -> Answer:
    """Let an import that has shown its plan begin."""
    visit.principal.require_operator()
    return _begun(visit.operations.confirm(visit.principal.id, given.id))


async def cancel(visit: Visit, given: OperationId) -> Answer:
    """End something; what it has written stays."""
    visit.principal.require_operator()
    return _begun(visit.operations.cancel(visit.principal.id, given.id))


class RunId(Arguments):
    run: str


async def undo(visit: Visit, given: RunId) -> Answer:
    """Delete what an import brought, except what was edited since."""

    async def work(services: Services) -> Undone:
        return await MovingIn(services.transfer(), services.memories).undo(given.run)

    undone = await visit.operate("import", work, "bulk")
    return Answer(text("data.undone", count=len(undone.deleted), edited=len(undone.edited)))


class ImportFields(Arguments):
    """What the form says of an import."""

    system: str = OWN
    with_deleted: bool = False
    again: bool = False
    conversations: bool = False
    """Whether those of a system that leaves them out are taken as well."""
    source_tz: str = ""

    def peer(self) -> Peer | None:
        """Return the system; None for ours.

        Raises:
            InvalidArgumentError: there is no such system.
        """
        if self.system != OWN and self.system not in PEERS:
            raise InvalidArgumentError("system", f"must be {OWN} or one of: {', '.join(sorted(PEERS))}")
        return None if self.system == OWN else PEERS[self.system]

    def wanted(self, peer: Peer) -> Wanted:
        also = peer.extras if self.conversations else ()
        return Wanted(self.with_deleted, self.again, also, _zone(self.source_tz))


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - wanted here alone

    try:
        return ZoneInfo(name).key if name else ""
    except (ValueError, OSError, LookupError) as error:
        raise InvalidArgumentError("source_tz", "is no time zone; give one such as Europe/Berlin") from error


class ImportPlace(ImportFields):
    """An import of what lies on the front's machine."""

    path: str = ""
    """Empty: the system's usual place."""


async def import_place(visit: Visit, given: ImportPlace) -> Answer:
    """Begin an import of what lies here; only who sits at the machine may name its files."""
    _check_may_import(visit)
    if not visit.principal.is_local:
        raise ForbiddenError(
            "path: only who signed in with a link from `memory-mcp open` may name files; send the file"
        )
    path = Path(given.path) if given.path else None
    if path is not None and not path.is_absolute():
        raise InvalidArgumentError("path", "must be absolute")
    return _begun(await _start(visit, given, path, str(path or given.system)))


async def import_file(visit: Visit, request: HttpRequest) -> Response:
    """Take a file from the browser, and begin its import: first what would come of it."""
    _check_may_import(visit)
    visit.operations.check_room(visit.principal.id)
    with ExitStack() as folders:
        folders.enter_context(visit.uploads.one(visit.principal.id))
        folder = folders.enter_context(private_folder())
        taken = await receive(request.stream(), folder, BOUNDS, _check_fields)
        given, name = parse(ImportFields, taken.head.fields), taken.head.files[0].name
        path = await asyncio.to_thread(taken.paths[0].rename, folder / f"file{_suffix(name)}")
        kept = ExitStack()
        operation = await _start(visit, given, path, name, kept)
        kept.push(folders.pop_all())  # the import removes it
    return JSONResponse({"data": {"operation": operation.id}})


def _check_fields(fields: Mapping[str, object]) -> None:
    """Refuse a form before its file comes."""
    given = parse(ImportFields, dict(fields))
    if (peer := given.peer()) is not None:
        given.wanted(peer)


def _suffix(name: str) -> str:
    """Return the ending of a name if it is harmless: some readers go by it."""
    ending = Path(name).suffix.lower()
    return ending if ending[1:].isascii() and ending[1:].isalnum() and len(ending) <= 8 else ""


async def _start(
    visit: Visit, given: ImportFields, path: Path | None, name: str, kept: ExitStack | None = None
) -> Operation:
    """Begin an import.

    Raises:
        TransferError: there is nothing to import.
    """
    import_all = await _import(visit, given, path)

    async def work(operation: Operation) -> ImportReport:
        with kept or ExitStack():
            return await import_all(operation)

    return visit.begin("import", name, work)


async def _import(
    visit: Visit, given: ImportFields, path: Path | None
) -> Callable[[Operation], Awaitable[ImportReport]]:
    if (peer := given.peer()) is not None:
        move = await asyncio.to_thread(make_move, peer, path, given.wanted(peer), visit.settings, visit.reach.namespace)
        return partial(import_peer, visit, move)
    if path is None:
        raise InvalidArgumentError("path", "give the path of the exported file")
    if not await asyncio.to_thread(path.is_file):
        raise TransferError(f"there is no file {path}; give the path of an exported file")
    return partial(import_own, visit, path)


def _check_may_import(visit: Visit) -> None:
    visit.principal.require_operator()
    visit.check_writes()


async def export(visit: Visit, request: HttpRequest) -> Response:
    """Send all memories and their history, as `memory-mcp export` writes them."""
    without_documents = request.query_params.get("without_documents") == "true"
    transfer = await visit.operate("export", _transfer, "bulk" if not visit.settings.read_only else "read")
    name = f"memories-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    lines = export_lines(transfer, Exported(), without_documents=without_documents)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_batches(lines), media_type="application/jsonl", headers=headers)


async def _transfer(services: Services) -> Transfer:
    return services.transfer()


async def _batches(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Yield many lines at a time; what goes wrong on the way is the last line."""
    batch: list[str] = []
    try:
        async for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                yield _encoded(batch)
                batch = []
    except MemoryMcpError as error:
        batch.append(json.dumps({"error": error.with_fix()}))
    yield _encoded(batch)


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


DATA: Final = PageView(
    "data",
    "/data",
    NoArguments,
    load,
    nav=Nav("system", "data"),
    scope=Scope.ADMIN,
    of_operator=True,
    script=True,
    parts=("operations", "backups"),
    actions=(
        Action("data.backup", NoArguments, back_up),
        Action("data.verify", BackupName, verify),
        Action("data.confirm", OperationId, confirm),
        Action("data.cancel", OperationId, cancel),
        Action("data.undo", RunId, undo),
        Action("data.import_place", ImportPlace, import_place),
    ),
    streams=(Stream("data.export", "GET", export), Stream("data.import", "POST", import_file)),
)
