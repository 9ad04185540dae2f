"""A memory: its content, what it was, and what lies around it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Final, TypeVar

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from memory_mcp.domain.errors import ConflictError, InvalidArgumentError, NotFoundError
from memory_mcp.domain.models import DOCUMENT, LAST_REVISION, MAX_QUERY, Change, Memory, Metadata, Revision
from memory_mcp.domain.principal import Reach
from memory_mcp.memories.differences import Piece, differences
from memory_mcp.memories.related import Related
from memory_mcp.memories.service import Memories
from memory_mcp.search.excerpts import WordFinder
from memory_mcp.server.web.cards import card, marked, named
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, PageView, Stream, Visit
from memory_mcp.tools.base import Arguments, parse
from memory_mcp.tools.fields import MemoryId, Namespace
from memory_mcp.tools.json_text import is_left_out, tags_text
from memory_mcp.tools.services import Services
from memory_mcp.tools.update import UPDATE, UpdateArguments

MARKED: Final = 200_000
"""Characters of a content in which the query's words are marked."""
REVISIONS: Final = 30
"""Revisions that are shown at once."""
COMPARED: Final = 3_000_000
"""Characters of a history that are compared for one answer."""
AROUND: Final = 90
"""Characters of a stretch without changes that are shown at each of its ends."""

T = TypeVar("T")


def to_text(metadata: Metadata) -> str:
    return json.dumps(metadata, ensure_ascii=False)


class MemoryPageArguments(Arguments):
    """Which memory; an id that a path cannot hold stands in the query."""

    path: str = ""
    id: MemoryId | None = None
    namespace: Namespace | None = None
    query: Annotated[str, Field(max_length=MAX_QUERY)] = ""

    @property
    def memory_id(self) -> str:
        """The memory's id.

        Raises:
            NotFoundError: there is none.
        """
        if memory_id := self.id or self.path:
            return memory_id
        raise NotFoundError("id: the address names no memory")


async def load(visit: Visit, query: MemoryPageArguments) -> Mapping[str, object]:
    """Return what the template shows."""

    async def work(services: Services) -> tuple[Memory, bool]:
        reach, memories = _reach(visit, query.namespace), services.memories
        try:
            return await memories.get(query.memory_id, reach), False
        except NotFoundError:
            return await _deleted(memories, query.memory_id, reach), True

    memory, is_deleted = await visit.run("memory", work, ids=[query.memory_id])
    is_marked = bool(query.query.strip()) and len(memory.content) <= MARKED
    return {
        "memory": memory,
        "named": named(memory.namespace, visit.reach),
        "is_deleted": is_deleted,
        "is_section": memory.type == DOCUMENT,
        "pieces": marked(memory.content, WordFinder(query.query)) if is_marked else (),
    }


async def _deleted(memories: Memories, memory_id: str, reach: Reach) -> Memory:
    try:
        return await memories.deleted(memory_id, reach)
    except NotFoundError as error:
        raise NotFoundError(text("memory.not_found")) from error


def _reach(visit: Visit, namespace: str | None) -> Reach:
    return replace(visit.reach, namespace=visit.reach.of(namespace))


async def _with(
    visit: Visit, asked: MemoryPartArguments, name: str, work: Callable[[Services, Memory], Awaitable[T]]
) -> tuple[Memory, T]:
    """Do something with the memory that is asked for."""

    async def found(services: Services) -> tuple[Memory, T]:
        memory = await services.memories.get(asked.id, _reach(visit, asked.namespace))
        return memory, await work(services, memory)

    return await visit.run(name, found, ids=[asked.id])


class MemoryPartArguments(Arguments):
    """A memory, and which part of its history."""

    id: MemoryId
    namespace: Namespace | None = None
    before: Annotated[int | None, Field(ge=1, le=LAST_REVISION)] = None
    """Only revisions before this one."""
    revision: Annotated[int | None, Field(ge=1, le=LAST_REVISION)] = None


def _asked(request: HttpRequest) -> MemoryPartArguments:
    return parse(MemoryPartArguments, dict(request.query_params))


async def related(visit: Visit, request: HttpRequest) -> Response:
    """Return what lies around a memory, as HTML."""

    async def work(services: Services, memory: Memory) -> Related:
        return await services.memories.related(memory)

    memory, found = await _with(visit, _asked(request), "related", work)
    sides = {name: [card(one, visit.reach) for one in getattr(found, name)] for name in ("before", "after")}
    alike = None if found.alike is None else [(card(one.memory, visit.reach), one) for one in found.alike]
    values = {
        "memory": memory,
        "named": named(memory.namespace, visit.reach),
        "alike": alike,
        "place": found.place,
        **sides,
    }
    return HTMLResponse(visit.render("memory.related.html", values))


@dataclass(frozen=True, slots=True)
class PastRevision:
    """A revision, and what the next one changed."""

    revision: Revision
    next_revision: int
    pieces: Sequence[Piece] | None
    """How the content differs; None where comparing would take too long, empty where it is the same."""
    changed: Sequence[tuple[str, str, str]]
    """Other fields that differ: the name, what it was, what it became."""


async def history(visit: Visit, request: HttpRequest) -> Response:
    """Return what a memory was, the latest first, as HTML."""

    async def work(services: Services, memory: Memory) -> list[Revision]:
        # One more than is shown on either side: what the last one became, and whether there are older ones.
        before = asked.before and asked.before + 1
        return await services.memories.revisions(memory, before=before, limit=REVISIONS + 2)

    asked = _asked(request)
    memory, found = await _with(visit, asked, "history", work)
    all_of = found if found and found[-1].revision == asked.before else [*found, _as_revision(memory)]
    shown = all_of[-REVISIONS - 1 :]
    past = await asyncio.to_thread(_compared, list(pairwise(shown))[::-1])
    has_older = len(all_of) > len(shown)
    older = shown[0].revision - 1 if has_older else 0
    values = {"memory": memory, "past": past, "older": older, "before": shown[0].revision if has_older else None}
    return HTMLResponse(visit.render("memory.history.html", values))


def _as_revision(memory: Memory) -> Revision:
    return Revision(memory.revision, memory.content, memory.tags, memory.type, memory.metadata, memory.updated_at)


def _compared(pairs: Sequence[tuple[Revision, Revision]]) -> list[PastRevision]:
    past, left = list[PastRevision](), COMPARED
    for was, became in pairs:
        pieces: Sequence[Piece] | None = ()
        if was.content != became.content:
            left -= len(was.content) + len(became.content)
            pieces = shortened(differences(was.content, became.content)) if left >= 0 else None
        past.append(PastRevision(was, became.revision, pieces, _changed(was, became)))
    return past


def _changed(was: Revision, became: Revision) -> list[tuple[str, str, str]]:
    fields = {
        "tags": (", ".join(was.tags), ", ".join(became.tags)),
        "type": (was.type, became.type),
        "metadata": (to_text(was.metadata), to_text(became.metadata)),
    }
    return [(name, *both) for name, both in fields.items() if both[0] != both[1]]


def shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """Leave out the middle of long stretches without changes."""
    return [Piece(piece.kind, _ends(piece.text)) if piece.kind == "same" else piece for piece in pieces]


def _ends(same: str) -> str:
    return same if len(same) <= 3 * AROUND else f"{same[:AROUND]} … {same[-AROUND:]}"


async def content(visit: Visit, request: HttpRequest) -> Response:
    """Return a memory with all its fields, or its content at a revision alone."""

    async def work(services: Services, memory: Memory) -> Memory | Revision | None:
        if asked.revision in {None, memory.revision}:
            return memory
        return await services.memories.revision(memory, asked.revision or 0)

    asked = _asked(request)
    memory, wanted = await _with(visit, asked, "content", work)
    if asked.revision is None:
        texts = {"content": memory.content, "tags": tags_text(memory.tags), "type": memory.type}
        # As text: a browser rounds great numbers.
        metadata = json.dumps(memory.metadata, ensure_ascii=False, indent=2)
        return JSONResponse(texts | {"metadata": metadata, "revision": memory.revision})
    if wanted is None:
        raise NotFoundError(f"revision: there is no revision {asked.revision}")
    return PlainTextResponse(wanted.content)


class EditArguments(UpdateArguments):
    """The new values, and where the memory lies."""

    namespace: Namespace | None = None

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse what a form holds when somebody has emptied it; a tool's caller means nothing by that.

        Raises:
            InvalidArgumentError: names the field.
        """
        super().refuse_empty(given)
        for name in ("content", "type"):
            if is_left_out(name, given.get(name)):
                raise InvalidArgumentError(name, "must not be blank")


async def edit(visit: Visit, arguments: EditArguments) -> Answer:
    """Change a memory as it was read; where somebody else did meanwhile, show both and change nothing."""
    if arguments.expected_revision is None:
        raise InvalidArgumentError("expected_revision", "is required")
    tags = None if arguments.tags is None else tuple(arguments.tags)
    change = Change(arguments.content, tags, arguments.type, arguments.metadata)
    reach = _reach(visit, arguments.namespace)

    async def work(services: Services) -> Memory:
        return await services.memories.update(arguments.id, reach, change, arguments.expected_revision)

    try:
        memory = await visit.run("edit", work, UPDATE.scopes, "write", [arguments.id])
    except ConflictError:
        return await _conflict(visit, arguments, reach)
    return Answer(text("memory.saved", revision=memory.revision), {"revision": memory.revision})


async def _conflict(visit: Visit, mine: EditArguments, reach: Reach) -> Answer:
    async def work(services: Services) -> Memory:
        return await services.memories.get(mine.id, reach)

    theirs = await visit.run("memory", work, ids=[mine.id])
    wanted = replace(
        _as_revision(theirs),
        **{
            name: value
            for name in ("content", "tags", "type", "metadata")
            if (value := getattr(mine, name)) is not None
        },
    )
    pieces = await asyncio.to_thread(differences, theirs.content, wanted.content)
    changed = _changed(_as_revision(theirs), wanted)
    html = visit.render("memory.conflict.html", {"theirs": theirs, "pieces": shortened(pieces), "changed": changed})
    return Answer(data={"conflict": theirs.revision}, html=html)


class RevertArguments(Arguments):
    """The revision to bring back, and the one that was read."""

    id: MemoryId
    namespace: Namespace | None = None
    revision: Annotated[int, Field(ge=1, le=LAST_REVISION)]
    expected_revision: Annotated[int, Field(ge=1)]


async def revert(visit: Visit, arguments: RevertArguments) -> Answer:
    """Bring an earlier revision back, as a new one."""
    reach = _reach(visit, arguments.namespace)

    async def work(services: Services) -> Memory:
        given = (arguments.id, reach, arguments.revision, arguments.expected_revision)
        return await services.memories.revert(*given)

    memory = await visit.run("revert", work, UPDATE.scopes, "write", [arguments.id])
    return Answer(text("memory.reverted", revision=arguments.revision), {"revision": memory.revision})


MEMORY: Final = PageView(
    "memory",
    "/memories/{path:path}",
    MemoryPageArguments,
    load,
    script=True,
    actions=(Action("memory.edit", EditArguments, edit), Action("memory.revert", RevertArguments, revert)),
    streams=(
        Stream("memory.related", "GET", related),
        Stream("memory.history", "GET", history),
        Stream("memory.content", "GET", content),
    ),
)
