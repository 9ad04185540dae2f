"""`memory-mcp ingest`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import click

from memory_mcp import settings
from memory_mcp.application.request import Request
from memory_mcp.cli import DEGRADED, FAILED
from memory_mcp.cli.options import options_of
from memory_mcp.cli.output import clean, note, print_json
from memory_mcp.cli.session import answer, as_json_option
from memory_mcp.context.project import caller
from memory_mcp.documents.ingesting import FILE, Ingesting, IngestRequest
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.jobs import FileContent, IngestJob, JobState
from memory_mcp.domain.principal import Principal
from memory_mcp.tools.base import parse
from memory_mcp.tools.ingest import INGEST, IngestArguments, IngestResult, failed_files, ingesting_of, outcome
from memory_mcp.tools.services import Services

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STDIN: Final = "-"

MakeJob = Callable[[Ingesting, IngestRequest], Awaitable[IngestJob]]
"""Queues a job."""
OnJobProgress = Callable[[IngestJob], Awaitable[None]]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True))
@options_of(INGEST, "path", "content", "encoding")
@click.option("--force", is_flag=True, help="Read files again that seem unchanged.")
@as_json_option
def ingest(*, paths: tuple[str, ...], force: bool, as_json: bool, **options: object) -> int:
    """Read PATHS, files and folders, so that a search finds what they say (- is stdin).

    Run it again to read what has changed. Ctrl-C ends it; what was read stays.
    """
    arguments = _parsed(paths, options)
    user = caller(settings.load().namespace)
    request = IngestRequest(user.reach.of(arguments.namespace), tuple(arguments.tags), user.name, is_forced=force)
    if arguments.path is None:
        make = partial(_from_stdin, arguments)
    else:
        real = [Path(os.path.realpath(path)) for path in paths]
        if arguments.watch and (file := next((path for path in real if not path.is_dir()), None)):
            raise click.UsageError(f"--watch: {file} is no folder; only folders are watched")
        make = partial(_from_disk, real, arguments.watch)
    return report(run_job(user, request, make, all_documents=as_json), as_json=as_json)


def _parsed(paths: Sequence[str], options: Mapping[str, object]) -> IngestArguments:
    """Return the arguments, checked before a store is opened or created.

    Raises:
        click.UsageError: one breaks a bound, or does not go with another.
    """
    if STDIN in paths and len(paths) > 1:
        raise click.UsageError("- is stdin, and goes alone")
    subject = {"content": STDIN} if STDIN in paths else {"path": paths[0]}
    try:
        arguments = parse(IngestArguments, {**subject, **options})
        arguments.check()
    except InvalidArgumentError as error:
        raise click.UsageError(str(error)) from error
    return arguments


async def _from_stdin(arguments: IngestArguments, ingesting: Ingesting, request: IngestRequest) -> IngestJob:
    if sys.stdin is None:
        raise click.ClickException("stdin is closed; pipe the file into it")
    content = FileContent(sys.stdin.buffer.read(), arguments.title, arguments.media_type)
    return await ingesting.ingest_content(content, request, uri=arguments.uri)


async def _from_disk(
    paths: Sequence[Path],
    watch: bool,  # noqa: FBT001 - of partial
    ingesting: Ingesting,
    request: IngestRequest,
) -> IngestJob:
    job = await ingesting.ingest_paths(paths, reading(request, paths))
    if watch:
        for path in paths:
            made = await ingesting.watch(path, request)
            note(f"{path} is kept current while a client runs memory-mcp serve (watch {made.id})")
    return job


def reading(request: IngestRequest, paths: Sequence[Path]) -> IngestRequest:
    """Return the request with leave to read these files and folders: the local user may name any."""
    roots = tuple(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))
    return IngestRequest(request.namespace, request.tags, request.asked_by, roots, request.is_forced)


def run_job(user: Principal, request: IngestRequest, make: MakeJob, *, all_documents: bool) -> IngestResult:
    """Queue a job and wait for its end, with progress on a terminal; say on stderr which files failed.

    Raises:
        click.Abort: Ctrl-C; the job is cancelled.
        MemoryMcpError: it cannot be done.
    """

    async def work(services: Services) -> IngestResult:
        ingesting = ingesting_of(services)
        with _bar() as on_progress:
            job = await _until_interrupted(_done(ingesting, user, partial(make, ingesting, request), on_progress))
        async for file in failed_files(ingesting, job.id):
            note(f"memory-mcp: {_told(file.uri, file.error or '')}")
        return await outcome(services, job, most=None if all_documents else 1)

    return answer(lambda services: Request(user, "ingest", lambda: work(services), INGEST.scopes, "bulk"), writes=True)


async def _done(
    ingesting: Ingesting, user: Principal, queue: Callable[[], Awaitable[IngestJob]], on_progress: OnJobProgress
) -> IngestJob:
    """Queue a job and wait for its end; a cancelled caller cancels the job."""
    job = await queue()
    try:
        return await ingesting.finish(job.id, user.reach, on_progress)
    except asyncio.CancelledError:
        await ingesting.cancel(job.id, user.reach)
        raise


async def _until_interrupted(work: Awaitable[IngestJob]) -> IngestJob:
    """Return what the work returns; Ctrl-C cancels it.

    Raises:
        click.Abort: it was cancelled.
    """
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await asyncio.wait({task})
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if task.cancelled():
        note("memory-mcp: interrupted; what was read stays, and the same command goes on from there")
        raise click.Abort
    return task.result()


@contextlib.contextmanager
def _bar() -> Iterator[OnJobProgress]:
    """Show files, rate and remaining time if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich import progress  # noqa: PLC0415 - 40 ms, needed only on a terminal
    from rich.console import Console  # noqa: PLC0415 - likewise

    columns = (
        progress.TextColumn("{task.fields[state]}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("files, {task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield partial(_show, shown, shown.add_task("", state="looking", rate="", total=None), time.monotonic())


async def _silent(_job: IngestJob) -> None:
    """Show nothing."""


async def _show(shown: Progress, task: TaskID, began: float, job: IngestJob) -> None:
    rate = job.finished / max(time.monotonic() - began, 0.1)
    shown.update(task, completed=job.finished, total=job.files, state=job.state.value, rate=f"{rate:.0f} a second")


def _told(uri: str, error: str) -> str:
    """Return a file's path and what is wrong with it, on one line; the reason may begin with its name."""
    path = unquote(urlsplit(uri).path) if uri.startswith(FILE) else uri
    return clean(" ".join(f"{path}: {error.removeprefix(Path(path).name).strip()}".split()))


def report(result: IngestResult, *, as_json: bool) -> int:
    """Print what became of a job, and return the exit code."""
    if as_json:
        print_json(result)
    else:
        click.echo(result.counts())
    files = result.files
    if result.state is not JobState.DONE:
        note(f"memory-mcp: the job {result.state.value}: {result.error or 'another process ended it'}")
        return FAILED
    if not files.done + files.unchanged:
        note("memory-mcp: nothing could be read" if files.failed else "memory-mcp: there is no file to read here")
        return FAILED
    return DEGRADED if files.failed or result.is_degraded else 0
