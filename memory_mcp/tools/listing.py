"""memory_list."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryFields, shown

MAX_CURSOR: Final = 1_200
"""Characters of a cursor; it names the last memory by its id, which may be all escapes."""


class ListArguments(FilterArguments):
    """Which memories, and which part of them."""

    aliases: ClassVar = {"n_results": "limit", "top_k": "limit", "k": "limit"}

    limit: Annotated[int, Field(ge=1, le=100, description="Memories on a page")] = 20
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR, description="next_cursor of the page before")] = None


class ListResult(Result):
    """A page of memories, newest first."""

    memories: list[MemoryFields]
    next_cursor: str | None
    total: int

    def text(self) -> str:
        """List them."""
        lines = [memory.text() for memory in self.memories]
        more = ["There are more: call again with next_cursor."] if self.next_cursor else []
        return "\n".join([f"{len(lines)} of {self.total} memories.", *lines, *more])


async def memory_list(call: Call, arguments: ListArguments) -> ListResult:
    """List memories, newest first.

    Raises:
        InvalidArgumentError: the cursor is none of ours, or `time_expr` is not understood.
    """
    page = await call.services.memories.page(
        await arguments.filters(call), limit=arguments.limit, cursor=arguments.cursor
    )
    return ListResult(
        memories=[MemoryFields.model_validate(shown(memory)) for memory in page.memories],
        next_cursor=page.next_cursor,
        total=page.total,
    )


LIST = Tool(
    "memory_list",
    "List memories, newest first, a page at a time.",
    ListArguments,
    ListResult,
    memory_list,
    read_only=True,
    cached=True,
    idempotent=True,
)
