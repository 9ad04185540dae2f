"""Search as you type with the real ranking, or all memories, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from memory_mcp.domain.documents import DocumentTitle
from memory_mcp.domain.errors import ForbiddenError, InvalidArgumentError, NotFoundError
from memory_mcp.domain.localtime import local
from memory_mcp.domain.models import DEFAULT_TYPE, DOCUMENT, MAX_QUERY
from memory_mcp.search.models import SearchMode
from memory_mcp.search.times import BEGINNING, understand
from memory_mcp.server.web.bulk_actions import BULK_ACTIONS
from memory_mcp.server.web.cards import Card, hit_cards, listed_card
from memory_mcp.server.web.rendering import to_json
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Nav, PageView, Stream, Visit
from memory_mcp.tools.base import Arguments, parse
from memory_mcp.tools.explained import made_of
from memory_mcp.tools.fields import ConversationId, FilterArguments, Namespace
from memory_mcp.tools.json_text import tags_text
from memory_mcp.tools.listing import LIST, MAX_CURSOR
from memory_mcp.tools.search import SEARCH as SEARCH_TOOL
from memory_mcp.tools.search import SearchResult
from memory_mcp.tools.services import Services

HITS: Final = 20
"""Hits at first: at 100,000 memories 30 take twice as long as 20, because more candidates are weighed."""
LISTED: Final = 30
SUGGESTED: Final = 12
KNOWN_TYPES: Final = (DEFAULT_TYPE, "fact", "decision", "preference", "event", DOCUMENT)
"""Types that clients use most; any other can be written."""


class SearchPageArguments(FilterArguments):
    """All that the address holds, under the tools' names."""

    query: Annotated[str, Field(max_length=MAX_QUERY)] = ""
    document: ConversationId | None = None
    """Only its sections, whose conversation it is."""
    mode: SearchMode = "auto"
    limit: Annotated[int | None, Field(ge=1, le=100)] = None
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR)] = None

    @property
    def filters_given(self) -> dict[str, object]:
        """The filters as the tools take them."""
        names = set(FilterArguments.model_fields)
        given = self.model_dump(mode="json", include=names, exclude_defaults=True)
        return given | ({"conversation_id": self.document} if self.document else {})

    @property
    def unlisted(self) -> dict[str, str]:
        """The filters that only an address can hold, as text."""
        shown = {"conversation_id": self.conversation_id, "metadata": self.metadata and to_json(self.metadata)}
        times = {"after": self.after and local(self.after), "before": self.before and local(self.before)}
        return {name: str(value) for name, value in (shown | times).items() if value}

    def without(self, name: str) -> str:
        """Return the address of this search without a filter."""
        given = self.model_dump(mode="json", exclude_defaults=True, exclude={name, "cursor", "limit"})
        as_text = {"metadata": to_json, "tags": tags_text}
        return f"/?{urlencode({key: as_text.get(key, str)(value) for key, value in given.items()})}"

    @property
    def is_narrow(self) -> bool:
        """Whether there is any filter beside the namespace."""
        return bool(self.filters_given.keys() - {"namespace", "tag_match"})


@dataclass(frozen=True, slots=True)
class TimeRead:
    """Which times of creation the filters were read as."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class FoundMemories:
    """What is shown beneath the filters."""

    cards: Sequence[Card] = ()
    total: int | None = None
    """None for a search, which ranks all."""
    next_cursor: str | None = None
    result: SearchResult | None = None
    steps: Sequence[str] = ()
    """What was made of the query."""
    problem: str = ""
    """Why there is nothing, and what fixes it."""
    problem_of: str = ""
    """The filter that it is about."""


async def load(visit: Visit, query: SearchPageArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    interval: TimeRead | None = None
    try:
        interval = await _interval(query)
        namespace = visit.reach.of(query.namespace)
        found = await (_searched if query.query.strip() else _listed)(visit, query, namespace)
    except (InvalidArgumentError, ForbiddenError) as error:
        of = str(error).partition(":")[0]
        problem = text("search.bad_time", time=query.time_expr) if of == "time_expr" else error.with_fix()
        found = FoundMemories(problem=problem, problem_of=of)
    document = await _document_title(visit, query.document)
    return {"found": found, "interval": interval, "document_title": document, "types": KNOWN_TYPES}


async def _interval(query: SearchPageArguments) -> TimeRead | None:
    """Return the times of creation that the filters leave, where they name any."""
    starts, ends = [query.after] if query.after else [], [query.before] if query.before else []
    if query.time_expr:
        start, end = await understand(query.time_expr)
        starts += [] if start == BEGINNING else [start]
        ends.append(end)
    return TimeRead(max(starts, default=None), min(ends, default=None)) if starts or ends else None


async def _searched(visit: Visit, query: SearchPageArguments, namespace: str) -> FoundMemories:
    asked = {"query": query.query, "mode": query.mode, "limit": query.limit or HITS, "explain": True}
    result = await visit.call(SEARCH_TOOL, query.filters_given | asked)
    steps = [] if result.explain_query is None else made_of(result.explain_query, result.explain_documents)
    return FoundMemories(hit_cards(result, query.query, namespace, visit.reach), result=result, steps=steps)


async def _listed(visit: Visit, query: SearchPageArguments, namespace: str) -> FoundMemories:
    given = query.filters_given | {"limit": query.limit or LISTED} | ({"cursor": query.cursor} if query.cursor else {})
    listed = await visit.call(LIST, given)
    cards = [listed_card(memory, namespace, visit.reach) for memory in listed.memories]
    return FoundMemories(cards, listed.total, listed.next_cursor)


async def _document_title(visit: Visit, document_id: str | None) -> str | None:
    """Return what a filter's document is called; its id where nobody knows."""
    if document_id is None:
        return None

    async def work(services: Services) -> str:
        if services.ingesting is None:
            return document_id
        found = await services.ingesting.document(document_id, visit.reach)
        return DocumentTitle(found.key, found.id, found.title, found.uri).name

    try:
        return await visit.run("document of a filter", work)
    except NotFoundError:
        return document_id


class SuggestArguments(Arguments):
    """What somebody has begun to write in a filter."""

    kind: Literal["tags", "namespace", "document"]
    prefix: Annotated[str, Field(max_length=200)] = ""
    namespace: Namespace | None = None


async def suggest(visit: Visit, request: HttpRequest) -> Response:
    """Return what a filter may be completed to, within the caller's reach."""
    asked = parse(SuggestArguments, dict(request.query_params))
    namespace = visit.reach.of(asked.namespace)

    async def work(services: Services) -> list[dict[str, str]]:
        memories = services.memories
        if asked.kind == "tags":
            names = await memories.tags_like(asked.prefix, namespace, SUGGESTED)
        elif asked.kind == "namespace":
            names = await memories.namespaces_like(asked.prefix, visit.reach, SUGGESTED)
        else:
            return await _documents(services, namespace, asked.prefix)
        return [{"value": name, "label": name} for name in names]

    return JSONResponse(await visit.run("suggest", work))


async def _documents(services: Services, namespace: str, prefix: str) -> list[dict[str, str]]:
    """Return the newest documents whose title or file has these letters."""
    if services.ingesting is None:
        return []
    found = await services.ingesting.titled(namespace, prefix, SUGGESTED)
    return [{"value": each.id, "label": each.name} for each in found]


SEARCH: Final = PageView(
    "search",
    "/",
    SearchPageArguments,
    load,
    nav=Nav("memories", "search"),
    script=True,
    parts=("results",),
    actions=BULK_ACTIONS,
    streams=(Stream("search.suggest", "GET", suggest),),
)
