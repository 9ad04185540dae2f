"""The sources of context: how they do, and a question to try one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from pydantic import Field

from memory_mcp.domain.errors import NotFoundError, cut
from memory_mcp.domain.models import MAX_QUERY
from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceQuery, SourceStatus
from memory_mcp.server.web.view import Action, Answer, Nav, NoArguments, PageView, Visit
from memory_mcp.tools.base import Arguments
from memory_mcp.tools.services import Services

SHOWN: Final = 5
"""Items of an answer."""


async def load(visit: Visit, query: NoArguments) -> Mapping[str, object]:
    del query

    async def work(services: Services) -> Sequence[SourceStatus]:
        return await services.sources.statuses(visit.principal) if services.sources else ()

    return {"sources": await visit.run("sources", work)}


class Question(Arguments):
    name: str
    query: Annotated[str, Field(max_length=MAX_QUERY)] = ""
    """Empty: its newest items."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a source said."""

    answer: SourceAnswer | None
    took_ms: int
    problem: str = ""
    fix: str = ""


async def test(visit: Visit, given: Question) -> Answer:
    """Ask a source."""
    tried = await visit.run("sources", partial(_tried, visit, given))
    return Answer(html=visit.render("sources.answer.html", {"tried": tried, "name": given.name}))


async def _tried(visit: Visit, given: Question, services: Services) -> Tried:
    reachable = services.sources.reachable(visit.principal) if services.sources else ()
    source = next((source for source in reachable if source.name == given.name), None)
    if source is None:
        raise NotFoundError(f"there is no source {cut(given.name)!r} that you may ask; reload the page")
    begun = time.perf_counter()
    try:
        answer = await source.ask(SourceQuery(given.query, SHOWN))
    except SourceError as error:
        return Tried(None, _ms_since(begun), str(error), error.fix)
    return Tried(answer, _ms_since(begun))


def _ms_since(begun: float) -> int:
    return round(1_000 * (time.perf_counter() - begun))


SOURCES: Final = PageView(
    "sources",
    "/sources",
    NoArguments,
    load,
    nav=Nav("system", "sources"),
    script=True,
    parts=("list",),
    actions=(Action("sources.test", Question, test),),
)
