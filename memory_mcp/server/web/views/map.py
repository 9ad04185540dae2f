"""Map: the memories on a plane, near what means the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import Filters, Memory
from memory_mcp.domain.principal import Scope
from memory_mcp.mapping.service import MapProgress, MapState
from memory_mcp.server.web.cards import card
from memory_mcp.server.web.narrowing import NarrowingArguments, namespaces
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, Nav, NoArguments, PageView, Stream, Visit
from memory_mcp.tools.base import Arguments, parse

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services

EVERYWHERE: Final = "*"
"""Stands for all namespaces in the address."""
SHOWN: Final = 100
"""Memories of a selection that are listed."""
MOST_CHOSEN: Final = 1_000
"""Memories that an action changes at once."""


class MapArguments(NarrowingArguments):
    """The filters, and by what the points are coloured."""

    by: Literal["tag", "type", "namespace"] = "tag"
    sheet: Annotated[str | None, Field(max_length=40)] = None
    """The name of the points in which others are chosen by number."""
    points: Annotated[str | None, Field(max_length=10_000)] = None

    @property
    def everywhere(self) -> bool:
        """Whether all namespaces are shown."""
        return self.namespace == EVERYWHERE

    @property
    def numbers(self) -> list[int]:
        """The chosen points.

        Raises:
            InvalidArgumentError: they are no numbers.
        """
        try:
            return [int(number, 36) for number in (self.points or "").split(".") if number][:SHOWN]
        except ValueError as error:
            raise InvalidArgumentError("points", "must be numbers that a map gave") from error


class ChosenPoints(Arguments):
    """Some points of a map."""

    sheet: Annotated[str, Field(max_length=40)]
    points: Annotated[list[int], Field(max_length=MOST_CHOSEN)]


async def load(visit: Visit, query: MapArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    if not query.everywhere:
        visit.reach.of(query.namespace)

    async def work(services: Services) -> tuple[MapProgress, list[str], list[Memory]]:
        await services.maps.keep_up()
        known = await namespaces(services, visit.reach)
        chosen: list[Memory] = []
        if query.sheet:
            chosen = await services.maps.memories(visit.principal.id, query.sheet, query.numbers)
        return await services.maps.progress(), known, chosen

    progress, known, chosen = await visit.run("map", work)
    return {
        "progress": progress,
        "namespaces": known,
        "cards": [card(memory, visit.reach) for memory in chosen],
        "states": MapState,
        "may_draw": visit.principal.is_operator and visit.may(Scope.WRITE),
    }


async def points(visit: Visit, request: HttpRequest) -> Response:
    """Return the points within reach that pass the filters; see `mapping.points.Points.message`."""
    query = parse(MapArguments, dict(request.query_params))
    return Response(await visit.run("map", partial(_message, visit, query)), media_type="application/octet-stream")


async def _message(visit: Visit, query: MapArguments, services: Services) -> bytes:
    await services.maps.keep_up()  # an open page asks again where points are missing
    asked = await _asked(visit, query, services)
    found = await services.maps.points(asked, query.by)
    if found is None:
        return b""
    name = services.maps.sets.add(visit.principal.id, found.keys, [filters.namespace for filters in asked])
    return found.message(name)


async def _asked(visit: Visit, query: MapArguments, services: Services) -> list[Filters]:
    """Return the filters, once for each namespace that is asked for."""
    if not query.everywhere:
        return [await query.filters(visit.reach)]
    own = await query.model_copy(update={"namespace": None}).filters(visit.reach)
    names = await namespaces(services, visit.reach)
    return [replace(own, namespace=name) for name in names or [visit.reach.namespace]]


async def at_points(visit: Visit, given: ChosenPoints) -> Answer:
    """Return which memories lie at chosen points, for what is done with them."""

    async def work(services: Services) -> list[Memory]:
        return await services.maps.memories(visit.principal.id, given.sheet, given.points)

    found = await visit.run("map", work)
    return Answer(data={"memories": [[memory.id, memory.namespace] for memory in found]})


async def draw(visit: Visit, given: NoArguments) -> Answer:
    """Begin to draw the map anew."""
    del given

    async def work(services: Services) -> None:
        services.maps.draw(anew=True)

    await visit.operate("map.draw", work, "write")  # it moves everybody's points, and takes the machine's time
    return Answer(text("map.begun"))


MAP: Final = PageView(
    "map",
    "/map",
    MapArguments,
    load,
    nav=Nav("memories", "map"),
    script=True,
    style=True,
    parts=("list", "point", "state"),
    actions=(Action("map.draw", NoArguments, draw), Action("map.at", ChosenPoints, at_points)),
    streams=(Stream("map.points", "GET", points),),
)
