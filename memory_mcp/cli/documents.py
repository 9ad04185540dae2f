"""`memory-mcp documents`: the documents that there are, and the folders that are watched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urldefrag

import click
from pydantic import TypeAdapter

from memory_mcp import settings
from memory_mcp.application.request import Request, RequestKind
from memory_mcp.cli.completers import NAMESPACE, Known
from memory_mcp.cli.ingest import reading, report, run_job
from memory_mcp.cli.output import bold, clean, note, print_long, print_rows, when
from memory_mcp.cli.session import answer, as_json_option, say
from memory_mcp.cli.streams import print_data
from memory_mcp.context.project import caller
from memory_mcp.documents.ingesting import FILE, Ingesting, IngestRequest
from memory_mcp.documents.preparing import path_of
from memory_mcp.domain.documents import Document, DocumentState, SectionOutline, Watch
from memory_mcp.domain.errors import NotFoundError, cut
from memory_mcp.domain.jobs import IngestJob
from memory_mcp.domain.names import nfc
from memory_mcp.domain.principal import Principal, Reach, Scope
from memory_mcp.tools.ingest import ingesting_of
from memory_mcp.tools.services import Services

COLUMNS: Final = ("id", "state", "sections", "title", "uri", "error")
SHOWN_SECTIONS: Final = 1_000
OFFERED: Final = 50
JOB_COLUMNS: Final = ("id", "state", "files", "sections", "begun", "of", "error")

T = TypeVar("T")
_KINDS: Final[Mapping[Scope, RequestKind]] = {Scope.READ: "read", Scope.WRITE: "write"}
_DOCUMENT: Final = TypeAdapter(Document)
_WATCH: Final = TypeAdapter(Watch)
_JOB: Final = TypeAdapter(IngestJob)


async def _ids_like(services: Services, prefix: str, user: Principal) -> list[str]:
    ids = [document.id async for document in _all(ingesting_of(services), user.reach.namespace)]
    return [document_id for document_id in ids if document_id.startswith(prefix)][:OFFERED]


async def _jobs_like(services: Services, prefix: str, user: Principal) -> list[str]:
    jobs = await ingesting_of(services).jobs(user.reach.namespace, OFFERED)
    return [job.id for job in jobs if job.id.startswith(prefix) and not job.state.is_final]


named_argument = click.argument("documents", nargs=-1, required=True, type=Known(_ids_like))
namespace_option = click.option("--namespace", type=NAMESPACE, help="If not the default.")


@click.group()
def documents() -> None:
    """List, show, refresh and remove what memory-mcp ingest has read; list and cancel its jobs."""


@documents.command("list")
@namespace_option
@click.option("--state", type=click.Choice([state.value for state in DocumentState]), help="Only those in this state.")
@as_json_option
def list_(*, namespace: str | None, state: str | None, as_json: bool) -> None:
    """List the documents, and the folders that are watched."""

    async def work(ingesting: Ingesting, reach: Reach) -> tuple[list[Document], list[Watch]]:
        found = [each async for each in _all(ingesting, reach.namespace, DocumentState(state) if state else None)]
        return found, await ingesting.watches(reach.namespace)

    found, watches = _asked(namespace, work, Scope.READ)
    if as_json:
        print_data({"documents": [_fields(each) for each in found], "watches": [_watch(each) for each in watches]})
        return
    print_rows(COLUMNS, [_row(each) for each in found])
    note(_counted(len(found)))
    for each in watches:
        note(f"watched: {each.path} (watch {each.id})")


@documents.command()
@click.argument("document", type=Known(_ids_like))
@namespace_option
@as_json_option
def show(*, document: str, namespace: str | None, as_json: bool) -> None:
    """Show DOCUMENT, an id or a path: what it is, and its sections with their memories' ids."""

    async def work(ingesting: Ingesting, reach: Reach) -> tuple[Document, list[SectionOutline]]:
        [found, *_] = await _named(ingesting, [document], reach)
        return await ingesting.show(found.id, reach, SHOWN_SECTIONS)

    found, sections = _asked(namespace, work, Scope.READ)
    if as_json:
        print_data(_fields(found) | {"outline": [_section(each) for each in sections]})
        return
    facts = {
        "id": found.id,
        "title": found.title or "",
        "uri": "\n     ".join(dict.fromkeys((found.uri, *found.uris))),
        "media type": found.media_type,
        "state": found.state.value,
        "error": found.error or "",
        "pages": str(found.pages or ""),
        "bytes": str(found.stamp.size),
        "tags": ", ".join(found.tags),
        "read": when(found.updated_at),
        "sections": str(found.sections),
    }
    lines = [f"{bold(name)}: {clean(fact)}" for name, fact in facts.items() if fact]
    print_long("\n".join([*lines, "", *(_line(each) for each in sections)]))
    if len(sections) < found.sections:
        note(f"{found.sections - len(sections)} more sections are not shown")


@documents.command()
@named_argument
@namespace_option
@as_json_option
def refresh(*, documents: tuple[str, ...], namespace: str | None, as_json: bool) -> int:
    """Read DOCUMENTS again, by their ids, files or folders, whether they seem changed or not."""
    user = _user(namespace)

    async def make(ingesting: Ingesting, request: IngestRequest) -> IngestJob:
        found = await _named(ingesting, documents, user.reach)
        files = {path_of(uri) for each in found for uri in each.uris if uri.startswith(FILE)}
        allowed = await asyncio.to_thread(reading, request, sorted(files))
        return await ingesting.refresh([each.id for each in found], allowed, user.reach)

    request = IngestRequest(user.reach.namespace, asked_by=user.name)
    return report(run_job(user, request, make, all_documents=as_json), as_json=as_json)


@documents.command()
@click.argument("documents", nargs=-1, type=Known(_ids_like))
@click.option("--missing", is_flag=True, help="Remove all whose files are gone.")
@namespace_option
@as_json_option
def remove(*, documents: tuple[str, ...], missing: bool, namespace: str | None, as_json: bool) -> None:
    """Remove DOCUMENTS, by their ids, files or folders, or end a watch by its id; the files themselves stay.

    `memory-mcp undelete` brings back their sections, as memories, for 30 days.
    """
    if not documents and not missing:
        raise click.UsageError("name documents, or give --missing")

    async def work(ingesting: Ingesting, reach: Reach) -> tuple[int, list[Watch], list[Watch]]:
        watches = {each.id: each for each in await ingesting.watches(reach.namespace)}
        found = await _named(ingesting, [name for name in documents if name not in watches], reach)
        ended = [await ingesting.unwatch(name, reach) for name in dict.fromkeys(documents) if name in watches]
        removed = await ingesting.remove([each.id for each in found], reach)
        removed += await ingesting.remove_missing(reach.namespace) if missing else 0
        left = [each for each in watches.values() if each not in ended]
        return removed, ended, [each for each in left if any(_is_at(document, each.path) for document in found)]

    removed, ended, still_watched = _asked(namespace, work, Scope.WRITE)
    sentences = [f"{each.path} is watched no longer; its documents stay" for each in ended]
    if removed or not ended:
        sentences.append(f"removed {_counted(removed)}")
    sentences += [
        f"{each.path} is watched (watch {each.id}): its files are read again unless they are removed, or ignored by a "
        ".memoryignore"
        for each in still_watched
    ]
    say("\n".join(sentences), {"removed": removed, "unwatched": [_watch(each) for each in ended]}, as_json=as_json)


@documents.command()
@namespace_option
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many.")
@as_json_option
def jobs(*, namespace: str | None, limit: int, as_json: bool) -> None:
    """List the newest jobs, the newest first: each call of ingest, and each change in a watched folder."""

    async def work(ingesting: Ingesting, reach: Reach) -> list[IngestJob]:
        return await ingesting.jobs(reach.namespace, limit)

    found = _asked(namespace, work, Scope.READ)
    if as_json:
        print_data({"jobs": [_job(each) for each in found]})
        return
    print_rows(JOB_COLUMNS, [_job_row(each) for each in found])


@documents.command()
@click.argument("job", type=Known(_jobs_like))
@namespace_option
@as_json_option
def cancel(*, job: str, namespace: str | None, as_json: bool) -> None:
    """Cancel JOB by its id, whichever process runs it; what it has read stays."""

    async def work(ingesting: Ingesting, reach: Reach) -> tuple[IngestJob, IngestJob]:
        return await ingesting.job(job, reach), await ingesting.cancel(job, reach)

    before, after = _asked(namespace, work, Scope.WRITE)
    told = f"the job had ended already: it is {after.state.value}" if before.state.is_final else "cancelled the job"
    say(f"{told}; {after.finished} of {after.files} files were read", {"job": _job(after)}, as_json=as_json)


def _user(namespace: str | None) -> Principal:
    return caller(nfc(namespace) if namespace else settings.load().namespace)


def _asked(namespace: str | None, work: Callable[[Ingesting, Reach], Awaitable[T]], scope: Scope) -> T:
    """Ask about documents as the local user."""
    user = _user(namespace)
    return answer(
        lambda services: Request(
            user, "documents", partial(work, ingesting_of(services), user.reach), (scope,), _KINDS[scope]
        ),
        writes=scope is Scope.WRITE,
    )


async def _all(ingesting: Ingesting, namespace: str, state: DocumentState | None = None) -> AsyncIterator[Document]:
    after = 0
    while page := await ingesting.documents(namespace, after=after, state=state):
        for document in page:
            yield document
        after = page[-1].key


async def _named(ingesting: Ingesting, names: Sequence[str], reach: Reach) -> list[Document]:
    """Return the documents with these ids, of these files, or below these folders, each once.

    Raises:
        NotFoundError: a name has none.
    """
    found: dict[str, Document] = {}
    held: list[Document] | None = None
    for name in names:
        try:
            document = await ingesting.document(name, reach)
            found[document.id] = document
        except NotFoundError:
            held = held if held is not None else [each async for each in _all(ingesting, reach.namespace)]
            below = [each for each in held if _is_at(each, name)]
            if not below:
                raise NotFoundError(
                    f"no document of {reach.namespace!r} has the id or path {cut(name)!r}; "
                    "`memory-mcp documents list` names all"
                ) from None
            found |= {each.id: each for each in below}
    return list(found.values())


def _is_at(document: Document, name: str) -> bool:
    """Whether a document's file is this one, or lies below this folder; content has its URI."""
    if name in {document.uri, *document.uris}:
        return True
    here = Path(os.path.realpath(name)).as_uri()
    files = [urldefrag(uri).url for uri in (document.uri, *document.uris)]
    return any(uri == here or uri.startswith(f"{here.rstrip('/')}/") for uri in files)


def _row(each: Document) -> tuple[str, ...]:
    return each.id, each.state.value, str(each.sections), each.title or "", each.uri, each.error or ""


def _job_row(each: IngestJob) -> tuple[str, ...]:
    done = f"{each.finished}/{each.files}"
    of = ", ".join(map(str, map(path_of, each.new.folders))) or ", ".join(each.new.roots) or "content"
    return each.id, each.state.value, done, str(each.sections), when(each.created_at), of, each.error or ""


def _line(section: SectionOutline) -> str:
    page = "" if section.page is None else f" (page {section.page})"
    return clean(f"{section.memory_id}  {' › '.join(section.heading) or '–'}{page}")


def _fields(document: Document) -> dict[str, object]:
    fields: dict[str, object] = _DOCUMENT.dump_python(document, mode="json", exclude={"key"})
    return fields


def _watch(watch: Watch) -> dict[str, object]:
    fields: dict[str, object] = _WATCH.dump_python(watch, mode="json")
    return fields


def _job(job: IngestJob) -> dict[str, object]:
    fields: dict[str, object] = _JOB.dump_python(job, mode="json", exclude={"new"})
    return fields | {"folders": list(job.new.folders), "tags": list(job.new.tags), "asked_by": job.new.asked_by}


def _section(section: SectionOutline) -> dict[str, object]:
    return {"id": section.memory_id, "section": " › ".join(section.heading), "page": section.page}


def _counted(documents: int) -> str:
    return "1 document" if documents == 1 else f"{documents} documents"
