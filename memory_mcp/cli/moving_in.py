"""`memory-mcp import --from PEER`: memories of another system, with a plan first and a comparison last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

import click

from memory_mcp import settings
from memory_mcp.application.moving_in import Move, Reporting, Wanted, make_move
from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.output import clean, count_up, counted, note
from memory_mcp.cli.session import administer
from memory_mcp.cli.streams import InputFile, print_data
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.imports import reading
from memory_mcp.imports.model import LIVE, PEERS, Peer
from memory_mcp.imports.moving import Moved, MovingIn, Undone
from memory_mcp.imports.planning import Plan
from memory_mcp.tools.services import Services

STDIN: Final = Path("-")
SHOWN: Final = 20
"""Lines of deleted records, skipped records, conflicts and differences each; `--json` has all."""
NAMED: Final = 3
"""Records of a remark; `--json` has all."""


class Choices(TypedDict):
    """Options of the command."""

    dry_run: bool
    with_deleted: bool
    again: bool
    also: tuple[str, ...]
    source_tz: str
    as_json: bool


def move_in(peer_name: str, given: Path | None, options: Choices) -> int:
    """Plan, import and verify; return the exit code.

    Raises:
        TransferError: the source is not there, or cannot be read.
    """
    with given_as_file(given) as path:
        return _move(_asked(PEERS[peer_name], path, options), options)


@contextmanager
def given_as_file(given: Path | None) -> Iterator[Path | None]:
    """Yield a path; what comes from stdin gets one, because a source is read several times."""
    if given != STDIN:
        yield given
        return
    with reading.private_folder() as folder:
        file = folder / "stdin"
        file.write_bytes(InputFile("rb").convert(str(STDIN), None, None).read())
        yield file


def _asked(peer: Peer, path: Path | None, options: Choices) -> Move:
    loaded = settings.load()
    wanted = Wanted(options["with_deleted"], options["again"], options["also"], options["source_tz"])
    try:
        return make_move(peer, path, wanted, loaded, loaded.namespace)
    except InvalidArgumentError as error:
        raise click.UsageError(str(error)) from error


def _move(move: Move, options: Choices) -> int:
    plan = asyncio.run(move.plan())  # a source that cannot be read to its end imports nothing
    as_json, run = options["as_json"], move.target.run
    if not as_json:
        _show_plan(move, plan)
    if options["dry_run"]:
        if as_json:
            print_data(_data(move, plan))
        return 0
    moved = administer("import", partial(_import, move, plan), writes=True)
    if as_json:
        print_data(_data(move, plan) | _data_of(moved, run))
    else:
        _show_moved(moved)
    failed = moved.conflicts or moved.differences
    return FAILED if failed else DEGRADED if moved.pending else 0


async def _import(move: Move, plan: Plan, services: Services) -> Moved:
    run, total = move.target.run, plan.taken
    reporting = Reporting(
        begun=partial(note, f"this is run {run}; to undo it: memory-mcp import --undo {run}"),
        stored=partial(count_up, total=total),
        compared=partial(count_up, total=total, what="memories compared"),
    )
    return await move.run(plan, services, reporting)


def undo(run: str, *, as_json: bool) -> int:
    """Delete what a run imported, and name what was edited since; return the exit code.

    Raises:
        TransferError: there is no such run.
    """

    async def work(services: Services) -> Undone:
        return await MovingIn(services.transfer(), services.memories).undo(run)

    undone = administer("import", work, writes=True)
    if as_json:
        print_data({"run": run, "deleted": undone.deleted, "edited": undone.edited})
        return 0
    click.echo(f"deleted {_memories(len(undone.deleted))} of run {run}; `memory-mcp undelete ID` restores one,"
               " and importing with --again all of them")  # fmt: skip
    for memory_id in undone.edited:
        _tell(f"edited since, left alone: {memory_id}")
    return 0


def _tell(line: str) -> None:
    """Print a line with what others wrote in it, which may neither control the terminal nor begin a line."""
    click.echo(clean(" ".join(line.splitlines())))


def _memories(count: int) -> str:
    return counted(count, "memory", "memories")


def _show_plan(move: Move, plan: Plan) -> None:
    left = "taken, with the tag `deleted`" if move.target.with_deleted else "left out"
    _tell(f"{move.peer.name}, {move.path}")
    click.echo(f"{_memories(plan.taken)} to import, {counted(plan.versions, 'earlier version', 'earlier versions')};"
               f" {plan.deleted} deleted, {left}")  # fmt: skip
    for namespace, count in plan.namespaces.items():
        _tell(f"into the namespace {namespace}: {_memories(count)}")
    for (kind, what), source_ids in plan.remarks.items():
        _tell(f"{kind}: {what}{_of(source_ids)}")
    _show(f"deleted, {left}", [planned.source_id for planned in plan.records if planned.state != LIVE])
    _show("skipped", [f"{source_id}: {why}" for source_id, why in plan.skipped])


def _of(source_ids: list[str]) -> str:
    """Return how many records a remark is about, and the first of them."""
    count = f"{len(source_ids)} records" if len(source_ids) > 1 else ""
    names = [source_id for source_id in source_ids if source_id]
    listed = ", ".join(names[:NAMED]) + (", \N{HORIZONTAL ELLIPSIS}" if len(names) > NAMED else "")
    about = ": ".join(filter(None, (count, listed)))
    return f" ({about})" if about else ""


def _show_moved(moved: Moved) -> None:
    waiting = f" ({counted(moved.pending, 'has', 'have')} no vector yet)" if moved.pending else ""
    click.echo(f"imported {_memories(moved.created)}{waiting}, {moved.known} existed already; compared with the source:"
               f" {counted(len(moved.differences), 'difference', 'differences')}")  # fmt: skip
    _show("conflict", moved.conflicts)
    _show("difference", moved.differences)
    _show("deleted there since, still live here; memory-mcp delete takes ids", moved.deleted_there)
    for run, count in moved.earlier.items():
        note(f"{counted(count, 'of them belongs', 'of them belong')} to run {run}")


def _show(kind: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        _tell(f"{kind}: {line}")
    if len(lines) > SHOWN:
        click.echo(f"{kind}: {len(lines) - SHOWN} more; --json lists all")


def _data(move: Move, plan: Plan) -> dict[str, object]:
    return {
        "peer": move.peer.name,
        "path": str(move.path),
        "live": plan.live,
        "deleted": plan.deleted,
        "versions": plan.versions,
        "taken": plan.taken,
        "namespaces": dict(plan.namespaces),
        "skipped": [{"source_id": source_id, "why": why} for source_id, why in plan.skipped],
        "remarks": [
            {"kind": kind, "what": what, "records": len(source_ids), "source_ids": list(filter(None, source_ids))}
            for (kind, what), source_ids in plan.remarks.items()
        ],
        "records": [asdict(planned) for planned in plan.records],
    }


def _data_of(moved: Moved, run: str) -> dict[str, object]:
    return {
        "run": run if moved.created else None,
        "created": moved.created,
        "known": moved.known,
        "earlier_runs": dict(moved.earlier),
        "pending": moved.pending,
        "deleted_there": moved.deleted_there,
        "conflicts": moved.conflicts,
        "differences": moved.differences,
    }
