"""One document: what it is, what was read of it, and what was not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from memory_mcp.documents.ingesting import FILE, IngestRequest
from memory_mcp.documents.preparing import path_of
from memory_mcp.domain.documents import Document, SectionOutline, Watch
from memory_mcp.domain.jobs import IngestJob
from memory_mcp.domain.principal import Scope
from memory_mcp.server.web.places import named, place
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, PageView, Visit
from memory_mcp.tools.base import Arguments
from memory_mcp.tools.ingest import INGEST, ingesting_of
from memory_mcp.tools.services import Services

SHOWN: Final = 200
MOST: Final = 100_000


class DocumentQuery(Arguments):
    id: str
    sections: Annotated[int, Field(ge=1, le=MOST)] = SHOWN
    """How many are shown."""


async def load(visit: Visit, query: DocumentQuery) -> Mapping[str, object]:
    async def work(services: Services) -> tuple[Document, list[SectionOutline], list[Watch]]:
        ingesting = ingesting_of(services)
        document, outline = await ingesting.show(query.id, visit.reach, query.sections)
        return document, outline, await ingesting.watches(document.namespace)

    document, outline, watches = await visit.run("document", work, ids=[query.id])
    files = [path_of(uri) for uri in document.uris if uri.startswith(FILE)]
    return {
        "document": document,
        "title": named(document),
        "places": [place(uri) for uri in dict.fromkeys((document.uri, *document.uris))],
        "outline": outline,
        "more": min(MOST, query.sections * 5) if len(outline) < document.sections else None,
        "watches": [watch for watch in watches if any(file.is_relative_to(watch.path) for file in files)],
        "may_write": visit.may(Scope.WRITE),
        "may_refresh": len(files) == len(document.uris) and visit.may(Scope.WRITE) and visit.may(Scope.ADMIN),
    }


class DocumentId(Arguments):
    id: str


async def refresh(visit: Visit, given: DocumentId) -> Answer:
    """Read its files again, whether they seem changed or not: the local user wherever they lie, as with `ingest`."""
    job = await visit.run(
        INGEST.name, partial(_refreshed, visit, given.id), (Scope.ADMIN, *INGEST.scopes), "bulk", [given.id]
    )
    return Answer(text("documents.begun", count=job.files), {"job": job.id})


async def _refreshed(visit: Visit, document_id: str, services: Services) -> IngestJob:
    ingesting = ingesting_of(services)
    document = await ingesting.document(document_id, visit.reach)
    own = [path_of(uri).parent for uri in document.uris if uri.startswith(FILE)] if visit.principal.is_local else []
    roots: tuple[Path, ...] = tuple(dict.fromkeys((*services.ingest_rules.roots, *own)))
    request = IngestRequest(visit.reach.to_write(document.namespace), (), visit.principal.name, roots)
    return await ingesting.refresh([document.id], request, visit.reach)


async def remove(visit: Visit, given: DocumentId) -> Answer:
    """Remove it with its sections; its file stays."""

    async def work(services: Services) -> int:
        ingesting = ingesting_of(services)
        document = await ingesting.document(given.id, visit.reach)
        visit.reach.to_write(document.namespace)
        return await ingesting.remove([document.id], visit.reach)

    removed = await visit.run("document", work, (Scope.WRITE,), "bulk", [given.id])
    return Answer(text("documents.removed", count=removed))


DOCUMENT: Final = PageView(
    "document",
    "/documents/{id}",
    DocumentQuery,
    load,
    script=True,
    actions=(
        Action("document.refresh", DocumentId, refresh),
        Action("document.remove", DocumentId, remove),
    ),
)
