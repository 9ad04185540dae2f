"""memory_store and memory_store_many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, Field

from memory_mcp.domain.errors import ConflictError, ForbiddenError, InvalidArgumentError, MemoryMcpError
from memory_mcp.domain.models import MAX_ITEMS, NewMemory, Stored
from memory_mcp.domain.principal import Reach
from memory_mcp.tools.base import Arguments, Call, Result, Tool, parse
from memory_mcp.tools.fields import (
    PENDING,
    Content,
    ConversationId,
    MemoryId,
    Moment,
    Namespace,
    NewMetadata,
    NewTags,
    Type,
)
from memory_mcp.tools.fitting import ROOM
from memory_mcp.tools.json_text import as_items, as_object
from memory_mcp.tools.sizes import count_fitting


class StoreArguments(Arguments):
    """One new memory."""

    aliases: ClassVar = {"text": "content", "information": "content"}

    content: Annotated[Content, Field(description="What to remember, in full sentences")]
    tags: Annotated[NewTags, Field(description="Labels to filter by")] = Field(default_factory=list)
    type: Annotated[Type, Field(description="Kind: note, fact, decision, …")] = "note"
    metadata: Annotated[NewMetadata, Field(description="Any JSON object")] = Field(default_factory=dict)
    namespace: Annotated[Namespace | None, Field(description="If not the default")] = None
    conversation_id: Annotated[ConversationId | None, Field(description="Groups turns of a conversation")] = None
    created_at: Annotated[Moment | None, Field(description="When it was said, if not now (ISO 8601)")] = None
    id: Annotated[MemoryId | None, Field(description="Your own id; storing it again is a no-op")] = None

    def new_memory(self, reach: Reach) -> NewMemory:
        """Convert to the domain's NewMemory.

        Raises:
            ForbiddenError: the caller may not write to the namespace, or it is not known.
        """
        return NewMemory(
            content=self.content,
            namespace=reach.to_write(self.namespace),
            tags=tuple(self.tags),
            type=self.type if "type" in self.model_fields_set else None,
            metadata=self.metadata if "metadata" in self.model_fields_set else None,
            conversation_id=self.conversation_id,
            created_at=self.created_at,
            id=self.id,
        )


class StoreResult(Result):
    """The outcome for one memory."""

    id: str
    created: bool = Field(description="False if it already existed, under this id")
    merged: list[str] = Field(description="Tags that a duplicate added to it")
    embedded: bool = Field(description="False if it has no vector yet; keywords find it already")

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Convert the store's answer."""
        return cls(id=stored.id, created=stored.created, merged=list(stored.merged), embedded=stored.embedded)

    @property
    def concerns(self) -> Sequence[str]:
        """Return its id."""
        return [self.id]

    def text(self) -> str:
        """Return what happened, in one line."""
        vector = "" if self.embedded else f"; {PENDING}"
        tags = f"; tags added: {', '.join(self.merged)}" if self.merged else ""
        return f"{'Stored' if self.created else 'Already known'} as {self.id}{tags}{vector}."


async def memory_store(call: Call, arguments: StoreArguments) -> StoreResult:
    """Store one memory.

    Raises:
        ConflictError: the id belongs to a memory with other content.
    """
    outcome = await call.services.memories.store(arguments.new_memory(call.reach))
    if isinstance(outcome, ConflictError):
        raise outcome
    return StoreResult.of(outcome)


def _like_store(schema: dict[str, Any]) -> None:
    """Advertise only the names and types of an item's fields; memory_store's schema explains them."""
    fields = StoreArguments.model_json_schema()["properties"]
    types = {name: {"type": field.get("type", "string")} for name, field in fields.items()}
    schema["items"] = {"type": "object", "properties": types, "required": ["content"]}


class StoreManyArguments(Arguments):
    """Many new memories."""

    items: Annotated[
        list[object],
        BeforeValidator(as_items),
        Field(
            min_length=1,
            max_length=MAX_ITEMS,
            description="Arguments as in memory_store",
            json_schema_extra=_like_store,
        ),
    ]


class StoredItem(StoreResult):
    """The outcome for one item; empty fields are left out, because there may be a thousand items."""

    merged: list[str] = Field(
        default_factory=list,
        exclude_if=lambda merged: not merged,
        description="Tags that a duplicate added to it; only if there are any",
    )


class RefusedItem(BaseModel):
    """Why an item was not stored."""

    error: str

    def text(self) -> str:
        """Return the reason."""
        return f"Refused: {self.error}"


class StoreManyResult(Result):
    """The outcome for each item, in order."""

    items: list[StoredItem | RefusedItem]

    @property
    def concerns(self) -> Sequence[str]:
        """Return those that were stored."""
        return [item.id for item in self.items if isinstance(item, StoredItem)]

    def text(self) -> str:
        """Return the counts, then a line for each item by its index: refused first, then duplicates, then new ones."""
        places = sorted(range(len(self.items)), key=self._rank)
        lines = [f"item {place}: {self._line(place)}" for place in places]
        fits = count_fitting(lines, ROOM)
        more = list[str]()
        if fits < len(lines):
            more = [
                f"({len(lines) - fits} more, up to item {max(places[fits:])}, are in the structured result; "
                "memory_list also lists the new ones, newest first)"
            ]
        return "\n".join([self._counts(), *lines[:fits], *more])

    def _rank(self, place: int) -> int:
        item = self.items[place]
        return 0 if isinstance(item, RefusedItem) else 2 if item.created else 1

    def _line(self, place: int) -> str:
        item = self.items[place]
        return item.id if isinstance(item, StoredItem) and item.created else item.text()

    def _counts(self) -> str:
        stored = [item for item in self.items if isinstance(item, StoredItem)]
        created = sum(item.created for item in stored)
        pending = sum(item.created and not item.embedded for item in stored)
        waiting = f" ({pending} searchable by keywords only until they have vectors)" if pending else ""
        refused = len(self.items) - len(stored)
        return f"{created} stored{waiting}, {len(stored) - created} already known, {refused} refused."


async def memory_store_many(call: Call, arguments: StoreManyArguments) -> StoreManyResult:
    """Store many memories; an invalid item does not affect the others."""
    checked = [_checked(item, call.reach) for item in arguments.items]
    news = [item for item in checked if isinstance(item, NewMemory)]

    async def on_progress(done: int) -> None:
        await call.progress(done, len(news))

    outcomes = iter(await call.services.memories.store_many(news, on_progress))
    return StoreManyResult(items=[_item(next(outcomes) if isinstance(item, NewMemory) else item) for item in checked])


def _item(outcome: Stored | MemoryMcpError) -> StoredItem | RefusedItem:
    return StoredItem.of(outcome) if isinstance(outcome, Stored) else RefusedItem(error=str(outcome))


def _checked(item: object, reach: Reach) -> NewMemory | InvalidArgumentError | ForbiddenError:
    try:
        return parse(StoreArguments, _object(item)).new_memory(reach)
    except (InvalidArgumentError, ForbiddenError) as error:
        return error


def _object(item: object) -> dict[str, object]:
    try:
        return as_object(item)
    except ValueError:
        raise InvalidArgumentError("item", 'must be an object, such as {"content": "…"}') from None


STORE = Tool(
    "memory_store",
    "Remember a fact, preference, decision, event or conversation turn for later sessions. "
    "Search first: if it changes what is stored, use memory_update instead.",
    StoreArguments,
    StoreResult,
    memory_store,
    idempotent=True,
)
STORE_MANY = Tool(
    "memory_store_many",
    "Store many memories at once, faster than one by one.",
    StoreManyArguments,
    StoreManyResult,
    memory_store_many,
    idempotent=True,
    bulk=True,
)
