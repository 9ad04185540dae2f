"""memory_ingest: files and folders, or content that comes with the call, become documents."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, WithJsonSchema

from memory_mcp.domain.documents import BY_CLIENT, Document, DocumentState
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError, SettingsError, cut
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState
from memory_mcp.domain.principal import Scope
from memory_mcp.tools.base import Arguments, Call, Result, Tool
from memory_mcp.tools.fields import Namespace, NewTags
from memory_mcp.tools.fitting import ROOM
from memory_mcp.tools.sizes import count_fitting, tokens

if TYPE_CHECKING:
    from memory_mcp.documents.ingesting import Ingesting  # not before the first call
    from memory_mcp.tools.services import Services

MOST: Final = 500
"""Documents, and failed files, that an answer is chosen from."""
OF_CONTENT: Final = ("title", "uri", "media_type", "encoding")
_SPACE: Final = re.compile(r"\s+")


def _short(text: str) -> str:
    if len(text) > 1_000:
        raise ValueError("must have at most 1000 characters")
    return text


Short = Annotated[str, AfterValidator(_short)]


# Bounds that memory_store's schema shows are not advertised again; they hold all the same.
_BRIEF_TAGS: Final = WithJsonSchema({"type": "array", "items": {"type": "string"}})
_BRIEF: Final = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})


class IngestArguments(Arguments):
    """A file, a folder, or content."""

    aliases: ClassVar = {"text": "content", "information": "content"}

    path: Annotated[str | None, Field(description="Absolute")] = None
    content: Annotated[str | None, Field(description="Or a file's content")] = None
    encoding: Annotated[Literal["text", "base64"] | None, Field(description="Its form")] = None
    title: Annotated[Short | None, Field(description="Its title")] = None
    uri: Annotated[str | None, Field(description="Its name")] = None
    media_type: Annotated[Short | None, Field(description="Its type")] = None
    tags: Annotated[NewTags, _BRIEF_TAGS, Field(description="Labels")] = Field(default_factory=list)
    namespace: Annotated[Namespace | None, _BRIEF, Field(description="If not the default")] = None
    watch: Annotated[bool, Field(description="Keep it current")] = False

    def check(self) -> None:
        """Check that the arguments go together.

        Raises:
            InvalidArgumentError: names the one that does not.
        """
        if (self.path is None) == (self.content is None):
            raise InvalidArgumentError("path", "give either path or content")
        if self.content is not None and self.watch:
            raise InvalidArgumentError("watch", "goes with the path of a folder, not with content")
        if self.path is not None and (wrong := next((name for name in OF_CONTENT if self._was_given(name)), None)):
            raise InvalidArgumentError(wrong, "goes with content, not with path")

    def _was_given(self, name: str) -> bool:
        return name in self.model_fields_set

    def file_content(self) -> FileContent:
        """Return the content's bytes, title and media type.

        Raises:
            InvalidArgumentError: it is not valid base64.
        """
        given = self.content or ""
        try:
            data = _decoded(given) if self.encoding == "base64" else given.encode()
        except (binascii.Error, ValueError) as error:
            raise InvalidArgumentError(
                "content", f"is not valid base64 ({error}); send it in the standard alphabet, padded"
            ) from error
        return FileContent(data, self.title, self.media_type)


def _decoded(text: str) -> bytes:
    return base64.b64decode(_SPACE.sub("", text), validate=True)


def _number(count: int, of: str) -> str:
    return f"{count} {of}{'' if count == 1 else 's'}"


class IngestedDocument(BaseModel):
    """A document, or a file that none could be made of."""

    id: str | None = Field(description="Null for a file that could not be read")
    uri: str
    state: str = Field(description="ok, failed or missing")
    sections: int
    error: str | None = Field(default=None, exclude_if=lambda error: error is None, description="Only if there is one")

    @classmethod
    def of(cls, document: Document) -> Self:
        """Convert the store's document."""
        return cls(
            id=document.id,
            uri=document.uri,
            state=document.state.value,
            sections=document.sections,
            error=document.error,
        )

    def text(self) -> str:
        """Return one line about it."""
        if self.error:
            return f"{self.state}: {self.uri}: {self.error}"
        return f"{self.id} ({_number(self.sections, 'section')}): {self.uri}"


class IngestCounts(BaseModel):
    """Files by what became of them."""

    done: int
    unchanged: int
    failed: int
    left_out: int = Field(description="They may hold secrets, are ignored, cannot be opened, or are no files")


class IngestResult(Result):
    """What became of a job."""

    job: str
    state: JobState
    error: str | None = Field(default=None, exclude_if=lambda error: error is None, description="Why the job failed")
    files: IngestCounts
    sections: int = Field(description="New or changed")
    pending: int = Field(description="Memories in the namespace that have no vector yet")
    documents: list[IngestedDocument] = Field(description="Those that failed come first")
    not_shown: int = Field(description="Number of documents left out because the answer would be too long")
    watch: str | None = Field(
        default=None, exclude_if=lambda watch: watch is None, description="Id of the watch, if one was asked for"
    )

    _all: Sequence[IngestedDocument] = PrivateAttr(default=())

    def counts(self) -> str:
        """Return what was done, in one sentence."""
        files = self.files
        read = f"{_number(files.done, 'file')} read ({_number(self.sections, 'new section')})"
        parts = [read, f"{files.unchanged} unchanged"]
        parts += [f"{files.failed} failed"] if files.failed else []
        parts += (
            [f"{files.left_out} left out (may hold secrets, ignored, unreadable, or no file)"] if files.left_out else []
        )
        waiting = " New sections are searchable by keywords only until they have vectors." if self.is_degraded else ""
        return f"{', '.join(parts)}.{waiting}"

    @property
    def is_degraded(self) -> bool:
        """Whether vectors of what was read may be missing."""
        return bool(self.sections and self.pending)

    @property
    def concerns(self) -> Sequence[str]:
        """Return the documents."""
        return [document.id for document in self._all or self.documents if document.id is not None]

    def fitted(self) -> Self:
        """Return it with as many documents as text and JSON have room for."""
        costs = [max((each.text(), each.model_dump_json()), key=tokens) for each in self.documents]
        fits = count_fitting(costs, ROOM)
        self._all = self.documents
        return self.model_copy(update={"documents": self.documents[:fits], "not_shown": len(costs) - fits})

    def text(self) -> str:
        """Return the counts, then a line for each document."""
        ended = (
            "" if self.state is JobState.DONE else f"The job is {self.state.value}: {self.error or 'it was ended'}. "
        )
        more = [f"({self.not_shown} more are not shown)"] if self.not_shown else []
        watch = [f"The folder is kept current (watch {self.watch})."] if self.watch else []
        return "\n".join([f"{ended}{self.counts()}", *watch, *(each.text() for each in self.documents), *more])


def ingesting_of(services: Services) -> Ingesting:
    """Return what ingests documents.

    Raises:
        SettingsError: documents are turned off, or the store keeps none.
    """
    if services.ingesting is None:
        raise SettingsError(
            "no documents are kept here; set MCP_MEMORY_DOCUMENTS_ENABLED=1, and choose a store that keeps them"
        )
    return services.ingesting


@dataclass(frozen=True, slots=True)
class Queued:
    """A job that is to be done, and the watch of its folder."""

    job: IngestJob
    watch: str | None = None


async def queue(call: Call, arguments: IngestArguments) -> Queued:
    """Have files, or content, read; nobody waits for it.

    Raises:
        ForbiddenError: the caller may not read this path, or not have it watched.
        InvalidArgumentError: an argument is wrong.
        SettingsError: documents are turned off, or what reads them is not installed.
    """
    from memory_mcp.documents.ingesting import IngestRequest  # noqa: PLC0415 - not before the first call

    arguments.check()
    ingesting = ingesting_of(call.services)
    request = IngestRequest(call.reach.to_write(arguments.namespace), tuple(arguments.tags), call.principal.name)
    if arguments.path is None:
        content = await asyncio.to_thread(arguments.file_content)
        return Queued(await ingesting.ingest_content(content, request, uri=arguments.uri))
    path, roots = await _allowed(call, arguments.path, watch=arguments.watch)
    request = replace(request, roots=roots)
    job = await ingesting.ingest_paths([path], request)
    if not arguments.watch:
        return Queued(job)
    by_client = replace(request, asked_by=f"{BY_CLIENT}{request.asked_by}")
    return Queued(job, (await ingesting.watch(path, by_client)).id)


async def memory_ingest(call: Call, arguments: IngestArguments) -> IngestResult:
    """Read files, or content, into the store, and wait for the end.

    If the caller is cancelled, the job goes on.

    Raises:
        MemoryMcpError: as `queue` does.
    """
    queued = await queue(call, arguments)
    ingesting = ingesting_of(call.services)
    finished = -1

    async def on_progress(now: IngestJob) -> None:
        nonlocal finished
        if now.finished > finished:
            finished = now.finished
            await call.progress(now.finished, now.files)

    job = await ingesting.finish(queued.job.id, call.reach, on_progress)
    result = await outcome(call.services, job, most=MOST)
    return (result.fitted() if call.is_bounded else result).model_copy(update={"watch": queued.watch})


async def _allowed(call: Call, named: str, *, watch: bool) -> tuple[Path, tuple[Path, ...]]:
    """Return the path and the folders below which the caller may read, as their real paths now.

    Raises:
        ForbiddenError: it lies below none of them; the opening of each file checks it again.
    """
    from memory_mcp.documents.opening import outside, places  # noqa: PLC0415 - not before the first call

    if not call.principal.may(Scope.ADMIN):
        raise ForbiddenError(
            f"path: the token {call.principal.name!r} may only send content; send the file's content, or use a token "
            "with the scope 'admin'"
        )
    rules = call.services.ingest_rules
    if watch and not rules.may_watch:
        raise ForbiddenError("watch: no client may have folders watched; set MCP_MEMORY_INGEST_WATCH=1 to allow it")
    path = _absolute(named)
    roots = (*rules.roots, *await call.ask_roots())
    if watch:  # of what is watched, no part may be a link
        path = Path(await asyncio.to_thread(os.path.realpath, path))
    place = await asyncio.to_thread(lambda: next(places(roots, path), None))
    if place is None:
        raise ForbiddenError(f"path: {outside(path)}")
    real_roots = [Path(each) for each in await asyncio.to_thread(lambda: [*map(os.path.realpath, (place[0], *roots))])]
    path = real_roots[0] / place[1]
    if watch and not await asyncio.to_thread(path.is_dir):
        raise InvalidArgumentError("watch", f"{cut(named)!r} is no folder; only folders are watched")
    return path, tuple(dict.fromkeys(real_roots))


def _absolute(named: str) -> Path:
    """Return a path without `..`.

    Raises:
        InvalidArgumentError: it is not absolute.
    """
    if not Path(named).is_absolute():
        raise InvalidArgumentError("path", f"must be absolute, {cut(named)!r} is not")
    return Path(os.path.normpath(named))


async def outcome(services: Services, job: IngestJob, *, most: int | None) -> IngestResult:
    """Return what became of a job: its failed documents and files first, at most so many of each kind; None: all."""
    namespace, counts = job.new.namespace, job.counts
    ingesting = ingesting_of(services)
    failed = [IngestedDocument.of(each) async for each in _documents(ingesting, job, DocumentState.FAILED, most)]
    known = {each.uri for each in failed}
    lost = [each async for each in _lost_files(ingesting, job, most) if each.uri not in known]
    read = [
        IngestedDocument.of(each)
        async for each in _documents(ingesting, job, None, most)
        if each.state is not DocumentState.FAILED
    ]
    return IngestResult(
        job=job.id,
        state=job.state,
        error=job.error,
        files=IngestCounts(
            done=counts.get(JobFileState.DONE, 0),
            unchanged=counts.get(JobFileState.UNCHANGED, 0),
            failed=counts.get(JobFileState.FAILED, 0),
            left_out=counts.get(JobFileState.LEFT_OUT, 0),
        ),
        sections=job.sections,
        pending=await services.memories.pending(namespace),
        documents=[*lost, *failed, *read],
        not_shown=0,
    )


async def _documents(
    ingesting: Ingesting, job: IngestJob, state: DocumentState | None, most: int | None
) -> AsyncIterator[Document]:
    after, count = 0, 0
    while page := await ingesting.documents(job.new.namespace, after=after, state=state, job=job.id):
        for document in page:
            yield document
        after, count = page[-1].key, count + len(page)
        if most is not None and count >= most:
            return


async def _lost_files(ingesting: Ingesting, job: IngestJob, most: int | None) -> AsyncIterator[IngestedDocument]:
    """Yield the files that failed, as documents without an id."""
    async for file in failed_files(ingesting, job.id, most):
        yield IngestedDocument(id=None, uri=file.uri, state=file.state.value, sections=0, error=file.error)


async def failed_files(ingesting: Ingesting, job_id: str, most: int | None = None) -> AsyncIterator[JobFile]:
    """Yield a job's failed files, in order."""
    after, count = -1, 0
    while page := await ingesting.job_lines(job_id, JobFileState.FAILED, after, MOST):
        for file in page:
            yield file
        after, count = page[-1].place, count + len(page)
        if most is not None and count >= most:
            return


INGEST = Tool(
    "memory_ingest",
    "Read files or folders for memory_search.",
    IngestArguments,
    IngestResult,
    memory_ingest,
    idempotent=True,
    bulk=True,
)
