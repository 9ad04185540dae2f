"""What was deleted: brought back, or removed for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from memory_mcp.domain.principal import Scope
from memory_mcp.domain.trash import TrashPage
from memory_mcp.maintenance.upkeep import RETENTION
from memory_mcp.memories.bulk import AT_ONCE
from memory_mcp.server.web.cards import card
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, Nav, PageView, Visit
from memory_mcp.tools.base import Arguments
from memory_mcp.tools.fields import Bound, MemoryId, Namespace
from memory_mcp.tools.listing import MAX_CURSOR
from memory_mcp.tools.services import Services

SHOWN: Final = 30
JUST_AFTER: Final = timedelta(microseconds=1)


class TrashArguments(Arguments):
    """Whose trash, and where to go on."""

    namespace: Namespace | None = None
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR)] = None


async def load(visit: Visit, query: TrashArguments) -> Mapping[str, object]:
    """Return what the template shows."""
    namespace = visit.reach.of(query.namespace)

    async def work(services: Services) -> TrashPage:
        return await services.memories.trash(namespace, limit=SHOWN, cursor=query.cursor)

    found = await visit.run("trash", work)
    cards = [card(one.memory, visit.reach, one.deleted_at) for one in found.memories]
    newest: datetime | None = found.memories[0].deleted_at + JUST_AFTER if found.memories else None
    return {"found": found, "cards_shown": cards, "namespace": namespace, "newest": newest, "days": RETENTION.days}


class PurgeArguments(Arguments):
    """What is to be removed for good: all that was deleted before a moment, or some of it."""

    namespace: Namespace | None = None
    before: Bound
    ids: Annotated[list[MemoryId] | None, Field(min_length=1, max_length=AT_ONCE)] = None


async def purge(visit: Visit, arguments: PurgeArguments) -> Answer:
    """Remove deleted memories for good. No tool does that, so it takes more than the right to write."""
    namespace = visit.reach.to_write(arguments.namespace)

    async def work(services: Services) -> int:
        return await services.memories.empty_trash(namespace, arguments.before, arguments.ids)

    count = await visit.run("purge", work, (Scope.ADMIN,), "bulk", arguments.ids or ())
    return Answer(text("trash.purged", count=count), {"count": count})


TRASH: Final = PageView(
    "trash",
    "/trash",
    TrashArguments,
    load,
    nav=Nav("memories", "trash"),
    script=True,
    parts=("list",),
    actions=(Action("trash.purge", PurgeArguments, purge),),
)
