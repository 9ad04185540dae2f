"""`memory-mcp export` and `memory-mcp import`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, Unpack, cast

import click

from memory_common.whole_file import replacing
from memory_mcp import settings
from memory_mcp.app import make_encryption
from memory_mcp.application.transfer import EndsEarlyError, Exported, export_lines, import_export, records
from memory_mcp.cli import DEGRADED, FAILED, moving_in
from memory_mcp.cli.output import count_up, counted
from memory_mcp.cli.session import administer, as_json_option, say
from memory_mcp.cli.streams import InputFile, use_utf8
from memory_mcp.domain.errors import NO_ROOM, DiskFullError, TransferError
from memory_mcp.imports.model import PEERS
from memory_mcp.maintenance.transfer import BATCH
from memory_mcp.tools.services import Services


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@click.option("--no-documents", is_flag=True, help="Leave out documents and their sections.")
@click.option("--force", is_flag=True, help="Replace TARGET if it exists.")
def export(*, target: Path, no_documents: bool, force: bool) -> None:
    """Write all memories with their history, and all documents, to TARGET (or stdout) as JSON Lines, without vectors.

    It is plain text, even if the store is encrypted. What was deleted stays behind. Leave documents out where you
    ingest the files again, or for an earlier version.
    """
    write = partial(_export, without_documents=no_documents)
    if str(target) == "-":
        use_utf8()
        exported = administer("export", partial(write, file=sys.stdout))
        sys.stdout.flush()  # what does not get there was not exported
    else:
        with _open_atomically(target, replaces=force) as file:
            exported = administer("export", partial(write, file=file))
    among = f" and {counted(exported.documents, 'document', 'documents')}" if exported.documents else ""
    click.echo(f"exported {counted(exported.memories, 'memory', 'memories')}{among}", err=True)
    if _is_store_encrypted():
        click.echo("the export is plain text, though the store is encrypted", err=True)
    if no_documents and exported.sections:
        click.echo(f"{counted(exported.sections, 'section', 'sections')} of documents left out", err=True)
    if exported.watches:
        watches = counted(exported.watches, "watched folder", "watched folders")
        click.echo(f"{watches} not exported; where the files are, run `memory-mcp ingest --watch`", err=True)


def _is_store_encrypted() -> bool:
    loaded = settings.load()
    return loaded.storage_backend == settings.SQLITE and make_encryption(loaded).is_encrypted()


async def _export(services: Services, file: TextIO, *, without_documents: bool) -> Exported:
    """Write all memories."""
    exported = Exported()
    async for line in export_lines(services.transfer(), exported, without_documents=without_documents):
        file.write(line + "\n")
        if exported.memories and exported.memories % BATCH == 0:
            count_up(exported.memories)
    return exported


@contextlib.contextmanager
def _open_atomically(target: Path, *, replaces: bool) -> Iterator[TextIO]:
    """Open a private file that takes the target's name once it is complete; on failure nothing changes."""
    if target.exists() and not target.is_file():
        raise TransferError(f"{target} is not a regular file; write to - and redirect the output")
    if target.exists() and not replaces:
        raise TransferError(f"{target} exists; name another file, or add --force to replace it")
    try:
        with replacing(target) as file:
            text = TextIOWrapper(file, encoding="utf-8")
            yield text
            text.detach()  # flushed into the file, which must stay open
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(target) from error
        raise TransferError(
            f"cannot write to {target} ({error.strerror}); name a file in an existing folder"
        ) from error


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """Return the name of a zone, which the system must know."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - wanted here alone

    try:
        return ZoneInfo(value).key if value else ""
    except (ValueError, OSError, LookupError) as error:
        raise click.BadParameter(
            f"unknown time zone {value!r}; give one such as Europe/Berlin", ctx=ctx, param=param
        ) from error


@click.command("import")
@click.argument("source", required=False)
@click.option("--from", "peer", type=click.Choice(sorted(PEERS)), help="Import another system's own file.")
@click.option("--dry-run", is_flag=True, help="With --from: show what would be imported, and what would be lost.")
@click.option("--with-deleted", is_flag=True, help="With --from: also what was deleted there, with the tag 'deleted'.")
@click.option("--again", is_flag=True, help="With --from: import once more what was imported and then deleted here.")
@click.option("--also", multiple=True, help="With --from: what is left out unless asked for, such as conversations.")
@click.option("--source-tz", metavar="ZONE", callback=_zone, help="With --from: the zone of times without one.")
@click.option("--undo", "run", metavar="RUN", help="Delete what a run of --from imported and nobody has edited since.")
@as_json_option
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    source: str | None,
    peer: str | None,
    run: str | None,
    **options: Unpack[moving_in.Choices],
) -> int:
    """Import memories from SOURCE (stdin if piped), a file of `memory-mcp export`.

    With --from, SOURCE is the file, folder or archive of another system, by default the one in its usual place.
    Existing memories are left alone, so it is safe to run again.
    """
    _check_together(source, peer, run, options)
    if run is not None:
        return moving_in.undo(run, as_json=options["as_json"])
    if peer is not None:
        given = None if source is None else Path(source)
        return moving_in.move_in(peer, given, options)
    if source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError("give the file to import, pipe it in, or name another system with --from")
    return _import(cast("BinaryIO", InputFile("rb").convert(source or "-", None, ctx)), as_json=options["as_json"])


def _check_together(source: str | None, peer: str | None, run: str | None, options: moving_in.Choices) -> None:
    """Refuse what would be passed over: an import that was to be tried only must not be one.

    Raises:
        UsageError: an option is given without the one that it belongs to.
    """
    needs_peer = ("dry_run", "with_deleted", "again", "also", "source_tz")
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if name in needs_peer and value]
    if run is not None:
        others = [*(["SOURCE"] if source is not None else []), *(["--from"] if peer is not None else []), *given]
        if others:
            raise click.UsageError(f"--undo cannot be combined with other options; leave out {', '.join(others)}")
    elif given and peer is None:
        raise click.UsageError(f"{given[0]} is for another system's file; name the system with --from, or leave it out")


def _import(source: BinaryIO, *, as_json: bool) -> int:
    if source.seekable():  # a pipe is imported as it arrives, up to the first invalid line
        start = source.tell()
        with contextlib.suppress(EndsEarlyError):  # import the rest anyway; the second pass reports it
            for _ in records(source, "nothing was imported"):
                pass
        source.seek(start)
    done = administer("import", lambda services: import_export(source, services.transfer(), count_up), writes=True)
    for conflict in done.conflicts:
        click.echo(f"memory-mcp: {conflict}; skipped", err=True)
    for renamed in done.renamed:
        click.echo(f"memory-mcp: {renamed}", err=True)
    waiting = f" ({counted(done.pending, 'has', 'have')} no vector yet)" if done.pending else ""
    data = {
        "created": done.created,
        "known": done.known,
        "pending": done.pending,
        "documents": done.documents,
        "conflicts": len(done.conflicts),
    }
    among = f" and {counted(done.documents, 'document', 'documents')}" if done.documents else ""
    sentence = f"imported {counted(done.created, 'memory', 'memories')}{among}{waiting}, {done.known} existed already"
    say(
        f"{sentence}, {counted(len(done.conflicts), 'conflict', 'conflicts')}" if done.conflicts else sentence,
        data,
        as_json=as_json,
    )
    return FAILED if done.conflicts else DEGRADED if done.pending else 0
