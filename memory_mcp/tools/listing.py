"""memory_list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from memory_mcp.domain.models import Filters
from memory_mcp.tools.base import Call, Result, Tool
from memory_mcp.tools.fields import FilterArguments, MemoryFields, shown
from memory_mcp.tools.fitting import RESERVE, Fitted, brief, fit, from_beginning
from memory_mcp.tools.sizes import tokens

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services

MAX_CURSOR: Final = 1_200
"""Maximum characters of a cursor; it contains the last memory's id, which may be all escapes."""


class ListArguments(FilterArguments):
    """The filters and the page."""

    aliases: ClassVar = {"n_results": "limit", "top_k": "limit", "k": "limit"}

    limit: Annotated[int, Field(ge=1, le=100, description="Memories per page")] = 20
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR, description="next_cursor of the previous page")] = None


class ListResult(Result):
    """A page of memories, newest first."""

    memories: list[MemoryFields]
    next_cursor: str | None
    total: int
    shortened: int = Field(description="Number of shortened memories")

    @property
    def concerns(self) -> Sequence[str]:
        """Return those of the page."""
        return [memory.id for memory in self.memories]

    def text(self) -> str:
        """Return the list and how to continue."""
        lines = [f"{len(self.memories)} of {self.total} memories, newest first.", *(it.text() for it in self.memories)]
        if self.shortened:
            lines.append(f"Note: {self.shortened} of these are shortened; memory_get returns one in full.")
        if self.next_cursor:
            lines.append(f"There are more: call again with the same filters and cursor={self.next_cursor}")
        return "\n".join(lines)

    def structured(self) -> dict[str, object]:
        """Return the structured result; memories in long lists are brief."""
        memories = [brief(memory.model_dump(mode="json"), memory.detail) for memory in self.memories]
        return super().structured() | {"memories": memories}


async def memory_list(call: Call, arguments: ListArguments) -> ListResult:
    """List memories, newest first.

    Raises:
        InvalidArgumentError: the cursor is invalid, or `time_expr` is not understood.
    """
    filters = await arguments.filters(call.reach)
    return await listed(call.services, filters, arguments.limit, cursor=arguments.cursor, is_bounded=call.is_bounded)


async def listed(
    services: Services, filters: Filters, limit: int, *, cursor: str | None = None, is_bounded: bool = True
) -> ListResult:
    """Return a page of memories as shown; it ends earlier if it does not fit even without contents.

    Raises:
        InvalidArgumentError: the cursor is invalid.
    """
    page = await services.memories.page(filters, limit=limit, cursor=cursor)
    memories = [MemoryFields.model_validate(shown(memory)) for memory in page.memories]
    fitted = Fitted(memories)
    if is_bounded:
        fitted = fit(memories, from_beginning, reserve=RESERVE + tokens(page.next_cursor or ""))
    if fitted.left_out:
        page = await services.memories.page(filters, limit=len(fitted.memories), cursor=cursor)
    return ListResult(
        memories=fitted.memories, next_cursor=page.next_cursor, total=page.total, shortened=fitted.shortened
    )


LIST = Tool(
    "memory_list",
    "List memories, newest first, page by page.",
    ListArguments,
    ListResult,
    memory_list,
    read_only=True,
    cached=True,
    idempotent=True,
)
