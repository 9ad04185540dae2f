"""Changes of one memory or many from any list: tag, set the type, delete, restore, and take it back."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from memory_mcp.application.request import RequestKind
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.domain.models import LAST_REVISION
from memory_mcp.memories.bulk import AT_ONCE, ActionName, Bulk, BulkAction, BulkOutcome, Changed, UndoneName
from memory_mcp.server.web.texts import text
from memory_mcp.server.web.view import Action, Answer, Visit
from memory_mcp.tools.base import Arguments
from memory_mcp.tools.delete import DELETE
from memory_mcp.tools.fields import FilterArguments, MemoryId, Namespace, NewTags, Type
from memory_mcp.tools.services import Services

MOST: Final = 10_000
"""Memories that one change may choose by filters."""


class ChangeArguments(Arguments):
    """A change, and the memories."""

    ids: Annotated[list[MemoryId], Field(min_length=1, max_length=AT_ONCE)]
    namespace: Namespace | None = None
    change: ActionName
    tags: NewTags = Field(default_factory=list)
    type: Type | None = None


class ChangedMemory(BaseModel):
    """A memory that was changed, as the page was told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: MemoryId
    revision: Annotated[int, Field(ge=1, le=LAST_REVISION)]


class UndoArguments(Arguments):
    """A change that was made."""

    namespace: Namespace | None = None
    change: UndoneName
    done: Annotated[list[ChangedMemory], Field(min_length=1, max_length=AT_ONCE)]


async def change(visit: Visit, arguments: ChangeArguments) -> Answer:
    """Change memories; the answer has what an undo needs."""
    if arguments.change in {"tag", "untag"} and not arguments.tags:
        raise InvalidArgumentError("tags", "give at least one tag")
    if arguments.change == "type" and arguments.type is None:
        raise InvalidArgumentError("type", "is required")
    action = BulkAction(arguments.change, tuple(arguments.tags), arguments.type)

    async def work(services: Services) -> BulkOutcome:
        return await _bulk(visit, services, arguments.namespace).apply(action, arguments.ids)

    outcome = await visit.run("change memories", work, DELETE.scopes, _kind(len(arguments.ids)), arguments.ids)
    return _answer(f"bulk.{arguments.change}", outcome)


async def undo(visit: Visit, arguments: UndoArguments) -> Answer:
    """Take a change back, except where something changed meanwhile."""
    done = [Changed(one.id, one.revision) for one in arguments.done]

    async def work(services: Services) -> BulkOutcome:
        return await _bulk(visit, services, arguments.namespace).undo(arguments.change, done)

    return _answer(
        "bulk.undone", await visit.run("undo", work, DELETE.scopes, _kind(len(done)), [one.id for one in done])
    )


async def matching(visit: Visit, arguments: FilterArguments) -> Answer:
    """Count what matches the filters and name it, so that exactly that is changed."""
    given = arguments.model_dump(mode="json", exclude_defaults=True)
    found = await visit.call(DELETE, given | {"dry_run": True})
    return Answer(data={"count": found.count, "ids": found.ids[:MOST]})


def _bulk(visit: Visit, services: Services, namespace: str | None) -> Bulk:
    return Bulk(services.memories, replace(visit.reach, namespace=visit.reach.to_write(namespace)))


def _kind(count: int) -> RequestKind:
    return "write" if count == 1 else "bulk"


def _answer(name: str, outcome: BulkOutcome) -> Answer:
    return Answer(text(name, count=len(outcome.done)), asdict(outcome))


BULK_ACTIONS: Final = (
    Action("memories.change", ChangeArguments, change),
    Action("memories.undo", UndoArguments, undo),
    Action("memories.matching", FilterArguments, matching),
)
