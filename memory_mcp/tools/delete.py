"""memory_delete."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import Field

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.services.times.zone import shown
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryId


class DeleteArguments(FilterArguments):
    """Which memories."""

    id: Annotated[MemoryId | None, Field(description="This memory, and no filters")] = None
    dry_run: Annotated[bool, Field(description="Only say which")] = False


class Interval(Result):
    """The times between which memories were created."""

    after: datetime | None = Field(description="At or after")
    before: datetime | None

    def text(self) -> str:
        """Show both ends in local time with its offset."""
        if self.after is None:
            return f"created before {shown(self.before)}" if self.before else ""
        return f"created from {shown(self.after)} {f'until {shown(self.before)}' if self.before else 'on'}"


class DeleteResult(Result):
    """Which memories were, or would be, deleted."""

    ids: list[str]
    dry_run: bool
    interval: Interval | None = Field(description="Where a time was given")

    def text(self) -> str:
        """Count them, and say between which times they were created."""
        when = f" {self.interval.text()}" if self.interval else ""
        done = "Would delete" if self.dry_run else "Deleted"
        return f"{done} {len(self.ids)} memories{when}: {', '.join(self.ids[:20])}"


async def memory_delete(call: Call, arguments: DeleteArguments) -> DeleteResult:
    """Delete a memory, or all that filters say.

    Raises:
        InvalidArgumentError: neither an id nor a filter was given, or both.
        NotFoundError: there is none of this id.
    """
    filters = await arguments.filters(call)
    if filters.is_narrow == (arguments.id is not None):  # a namespace alone is no filter, nor is an empty one
        raise InvalidArgumentError("id", "give an id, or at least one filter, and not both; nothing was deleted")
    memories, dry_run = call.services.memories, arguments.dry_run
    if arguments.id is None:
        ids = await memories.delete_all(filters, dry_run=dry_run, on_progress=call.progress)
    else:
        ids = await memories.delete(arguments.id, replace(call.reach, namespace=filters.namespace), dry_run=dry_run)
    timed = filters.after is not None or filters.before is not None
    interval = Interval(after=filters.after, before=filters.before) if timed else None
    return DeleteResult(ids=ids, dry_run=dry_run, interval=interval)


DELETE = Tool(
    "memory_delete",
    "Delete one memory by id, or all that match filters.",
    DeleteArguments,
    DeleteResult,
    memory_delete,
    destructive=True,
    reveals=True,
    idempotent=True,
)
