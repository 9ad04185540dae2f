"""Timeline: how many memories were created when, and which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memory_mcp.domain.models import Page
from memory_mcp.memories.timeline import Bar, Density, TimeUnit
from memory_mcp.server.web.cards import card
from memory_mcp.server.web.narrowing import NarrowingArguments, namespaces
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Nav, PageView, Visit
from memory_mcp.tools.fields import Bound

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services

SHOWN: Final = 50
"""Memories of a bar that are listed."""
_LABELS: Final = {
    TimeUnit.HOUR: "%a %-d %b %Y, %H:%M %Z",
    TimeUnit.DAY: "%a %-d %b %Y",
    TimeUnit.WEEK: "week of %-d %b %Y",
    TimeUnit.MONTH: "%B %Y",
    TimeUnit.YEAR: "%Y",
    TimeUnit.DECADE: "%Ys",
}


class TimelineArguments(NarrowingArguments):
    """The filters, and the bar whose memories are listed."""

    since: Bound | None = None
    until: Bound | None = None

    @property
    def is_open(self) -> bool:
        """Whether the memories of a bar are listed."""
        return self.since is not None and self.until is not None


@dataclass(frozen=True, slots=True)
class LabelledBar:
    """A row of the table from which the chart is drawn."""

    bar: Bar
    label: str
    href: str


async def load(visit: Visit, query: TimelineArguments) -> Mapping[str, object]:
    """Return what the template shows."""

    async def work(services: Services) -> tuple[Density, Page | None, list[str]]:
        filters = await query.filters(visit.reach)
        density = await services.timeline.density(filters)
        listed = None
        if query.is_open:
            of_bar = query.of_interval(filters, query.since, query.until)
            listed = await services.memories.page(of_bar, limit=SHOWN, cursor=None)
        return density, listed, await namespaces(services, visit.reach)

    density, listed, known = await visit.run("timeline", work)
    label = label_of(query.since, density.unit) if query.since else ""
    rows = [
        LabelledBar(
            bar, label_of(bar.since, density.unit), query.address("/timeline", since=bar.since, until=bar.until)
        )
        for bar in density.bars
    ]
    return {
        "density": density,
        "rows": rows,
        "listed": listed,
        "cards": [card(memory, visit.reach) for memory in listed.memories] if listed else [],
        "search_href": query.address("/", after=query.since, before=query.until)
        if query.since and query.until
        else "/",
        "listed_label": label,
        "namespaces": known,
        "zone": datetime.now().astimezone().tzname(),
        "interval": _interval(density),
    }


def _interval(density: Density) -> str:
    if not density.bars:
        return ""
    first, last = density.bars[0].since, density.bars[-1].since
    return text("timeline.interval", first=label_of(first, density.unit), last=label_of(last, density.unit))


def label_of(moment: datetime, unit: TimeUnit) -> str:
    """Return the name of a unit of local time."""
    return moment.astimezone().strftime(_LABELS[unit])


TIMELINE: Final = PageView(
    "timeline",
    "/timeline",
    TimelineArguments,
    load,
    nav=Nav("memories", "timeline"),
    script=True,
    style=True,
    parts=("chart", "list"),
)
