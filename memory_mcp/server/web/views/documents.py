"""The documents, the folders that are kept current, and files dropped here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from memory_mcp.documents.ingesting import MAX_CONTENT_BYTES, IngestRequest
from memory_mcp.domain.documents import Document, DocumentState, Watch
from memory_mcp.domain.jobs import FileContent, IngestJob
from memory_mcp.domain.principal import Scope
from memory_mcp.imports.reading import private_folder
from memory_mcp.server.web.narrowing import namespaces
from memory_mcp.server.web.places import UPLOAD, named, place
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.uploads import Upload, UploadBounds, receive
from memory_mcp.server.web.view import Action, Answer, Nav, PageView, Stream, Visit
from memory_mcp.tools.base import Arguments, Call, parse
from memory_mcp.tools.fields import Namespace, NewTags
from memory_mcp.tools.ingest import INGEST, IngestArguments, Queued, ingesting_of, queue
from memory_mcp.tools.services import Services

PER_PAGE: Final = 50
LAST: Final = 2**63 - 1
"""The largest key of a store."""
BOUNDS: Final = UploadBounds(files=100, file_bytes=MAX_CONTENT_BYTES, bytes=100_000_000)


class DocumentsQuery(Arguments):
    namespace: Namespace | None = None
    state: DocumentState | None = None
    after: Annotated[int, Field(ge=0, le=LAST)] = 0

    def address(self, after: int) -> str:
        """Return the address of another page of the same documents."""
        given = {"namespace": self.namespace, "state": self.state and self.state.value, "after": after}
        return "?".join(
            filter(None, ("/documents", urlencode({name: value for name, value in given.items() if value})))
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of documents."""

    documents: Sequence[Document]
    after: int | None
    """Where the next page begins; None: this is the last."""
    watches: Sequence[Watch]
    running: int
    """Jobs under way."""
    roots: Sequence[Path]
    may_watch: bool
    namespaces: Sequence[str]
    """To choose from; none where there is nothing to choose."""


async def load(visit: Visit, query: DocumentsQuery) -> Mapping[str, object]:
    namespace = visit.reach.of(query.namespace)

    async def work(services: Services) -> Listed | None:
        if (ingesting := services.ingesting) is None:
            return None
        found = await ingesting.documents(namespace, after=query.after, limit=PER_PAGE + 1, state=query.state)
        jobs = await ingesting.jobs(namespace, PER_PAGE)
        shown, rules = found[:PER_PAGE], services.ingest_rules
        after = shown[-1].key if len(found) > PER_PAGE else None
        running = sum(not job.state.is_final for job in jobs)
        watches = await ingesting.watches(namespace)
        spaces = await namespaces(services, visit.reach)
        return Listed(shown, after, watches, running, rules.roots, rules.may_watch, spaces)

    listed = await visit.run("documents", work)
    return {
        "listed": listed,
        "namespace": namespace,
        "states": list(DocumentState),
        "bounds": BOUNDS,
        "address": query.address,
        "named": named,
        "place": place,
        "may_write": visit.may(Scope.WRITE),
        "may_name_paths": visit.may(Scope.WRITE) and visit.may(Scope.ADMIN),
    }


class IngestPath(Arguments):
    path: str
    tags: NewTags = Field(default_factory=list)
    namespace: Namespace | None = None
    watch: bool = False


async def ingest(visit: Visit, given: IngestPath) -> Answer:
    """Have a file or folder of the front's machine read, where the rules allow it."""
    raw = given.model_dump(exclude_none=True)

    async def work(services: Services) -> Queued:
        arguments = parse(IngestArguments, raw)
        return await queue(Call(services, visit.principal, _silent, is_bounded=False), arguments)

    queued = await visit.run(INGEST.name, work, INGEST.scopes, "bulk")
    return _begun(queued.job)


async def _silent(_done: int, _total: int) -> None:
    """Nobody waits for it."""


def _begun(job: IngestJob) -> Answer:
    return Answer(text("documents.begun", count=job.files), {"job": job.id})


class UploadFields(Arguments):
    tags: NewTags = Field(default_factory=list)
    namespace: Namespace | None = None


async def upload(visit: Visit, request: HttpRequest) -> Response:
    """Take files from the browser, and have them read."""
    visit.principal.require(Scope.WRITE)
    visit.check_writes()
    await visit.run(INGEST.name, _nothing, INGEST.scopes, "bulk")  # counted before a byte of it is taken
    with visit.uploads.one(visit.principal.id), private_folder() as folder:
        taken = await receive(request.stream(), folder, BOUNDS, partial(_request, visit))
        wanted = _request(visit, taken.head.fields)
        async with visit.uploads.reading:
            job = await visit.run(INGEST.name, partial(_queue, taken, wanted), INGEST.scopes, None)
    answer = _begun(job)
    return JSONResponse({"message": answer.message, "data": answer.data})


async def _nothing(_: Services) -> None:
    """Only the middleware is asked."""


def _request(visit: Visit, given: Mapping[str, object]) -> IngestRequest:
    """Return what the form wants.

    Raises:
        InvalidArgumentError: a field is unknown or breaks a bound.
        ForbiddenError: the namespace is out of reach.
    """
    fields = parse(UploadFields, given)
    return IngestRequest(visit.reach.to_write(fields.namespace), tuple(fields.tags), visit.principal.name)


async def _queue(taken: Upload, wanted: IngestRequest, services: Services) -> IngestJob:
    contents = await asyncio.to_thread(_contents, taken)
    return await ingesting_of(services).ingest_contents(contents, wanted)


def _contents(taken: Upload) -> dict[str, FileContent]:
    """Return the files by their URIs; of two with one name, the second gets a number."""
    found = dict[str, FileContent]()
    for file, path in zip(taken.head.files, taken.paths, strict=True):
        uri = f"{UPLOAD}{quote(file.name)}"
        numbered = (f"{uri}%20({number})" for number in count(2))
        free = next(each for each in chain([uri], numbered) if each not in found)
        found[free] = FileContent(path.read_bytes(), file.name)
    return found


class WatchId(Arguments):
    id: str


async def unwatch(visit: Visit, given: WatchId) -> Answer:
    """Keep a folder current no longer."""

    async def work(services: Services) -> Watch:
        return await ingesting_of(services).unwatch(given.id, visit.reach)

    watch = await visit.run("documents", work, (Scope.WRITE,), "write")
    return Answer(text("documents.unwatched", path=watch.path))


class NamespaceOnly(Arguments):
    namespace: Namespace | None = None


async def remove_missing(visit: Visit, given: NamespaceOnly) -> Answer:
    """Remove the documents whose files are gone."""
    namespace = visit.reach.to_write(given.namespace)

    async def work(services: Services) -> int:
        return await ingesting_of(services).remove_missing(namespace)

    return Answer(text("documents.removed", count=await visit.run("documents", work, (Scope.WRITE,), "bulk")))


DOCUMENTS: Final = PageView(
    "documents",
    "/documents",
    DocumentsQuery,
    load,
    nav=Nav("memories", "documents"),
    script=True,
    parts=("list",),
    actions=(
        Action("documents.ingest", IngestPath, ingest),
        Action("documents.unwatch", WatchId, unwatch),
        Action("documents.remove_missing", NamespaceOnly, remove_missing),
    ),
    streams=(Stream("documents.upload", "POST", upload),),
)
