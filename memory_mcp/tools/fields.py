"""Arguments and results that several tools share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from memory_mcp.domain import comparisons
from memory_mcp.domain.models import (
    MAX_CONTENT,
    MAX_CONVERSATION_ID,
    MAX_ID,
    MAX_METADATA,
    MAX_METADATA_DEPTH,
    MAX_NAMESPACE,
    MAX_TAG,
    MAX_TAGS,
    MAX_TYPE,
    Filters,
    Memory,
)
from memory_mcp.services.times import understand
from memory_mcp.tools.base import Arguments, Call, Result

SHOWN_CHARS: Final = 400
"""Characters of a content in the text that goes with a structured result."""


def not_blank(text: str) -> str:
    """Return the text.

    Raises:
        ValueError: there is nothing in it.
    """
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _in_utc(moment: datetime) -> datetime:
    """Read a time without a zone in the user's own."""
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise ValueError("must lie between the years 1 and 9999") from error


def _listed(tags: object) -> object:
    """Accept comma-separated tags."""
    return tags.split(",") if isinstance(tags, str) else tags


def _tidy(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _bounded(metadata: dict[str, object]) -> dict[str, object]:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("must be JSON of finite numbers, whole characters and moderate depth") from error
    size = len(text)
    if size > MAX_METADATA:
        raise ValueError(f"may have at most {MAX_METADATA} characters as JSON, it has {size}")
    if _is_deeper(metadata, MAX_METADATA_DEPTH):
        raise ValueError(f"may be nested at most {MAX_METADATA_DEPTH} levels deep")
    return metadata


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether JSON has more levels of objects and lists."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(part, levels - 1) for part in inner))


Content = Annotated[str, Field(min_length=1, max_length=MAX_CONTENT), AfterValidator(not_blank)]
Tags = Annotated[
    list[Annotated[str, Field(max_length=MAX_TAG)]],
    Field(max_length=MAX_TAGS),
    BeforeValidator(_listed),
    AfterValidator(_tidy),
]
Metadata = Annotated[dict[str, object], AfterValidator(_bounded)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]
Namespace = Annotated[str, Field(min_length=1, max_length=MAX_NAMESPACE), AfterValidator(not_blank)]
MemoryId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
ConversationId = Annotated[str, Field(min_length=1, max_length=MAX_CONVERSATION_ID)]
Type = Annotated[str, Field(min_length=1, max_length=MAX_TYPE)]


class FilterArguments(Arguments):
    """What a memory must be."""

    tags: Annotated[Tags, Field(description="With these tags")] = Field(default_factory=list)
    tag_match: Annotated[Literal["any", "all"], Field(description="With one of the tags, or all")] = "any"
    type: Annotated[Type | None, Field(description="Of this kind")] = None
    metadata: Annotated[
        Metadata,
        Field(default_factory=dict, description="Members equal to these, or {gte, gt, lte, lt, ne: value, in: list}"),
    ]
    conversation_id: Annotated[ConversationId | None, Field(description="Of this conversation")] = None
    after: Annotated[Moment | None, Field(description="Created at or after (ISO 8601)")] = None
    before: Annotated[Moment | None, Field(description="Created before")] = None
    time_expr: Annotated[
        str | None, Field(min_length=1, max_length=200, description="e.g. 'last week', 'in May 2023'")
    ] = None
    namespace: Annotated[Namespace | None, Field(description="Other than the default")] = None

    @property
    def is_timeless(self) -> bool:
        """Whether no time is meant that moves on."""
        return self.time_expr is None

    async def filters(self, call: Call) -> Filters:
        """Return the filters, the default namespace and the meaning of `time_expr` filled in.

        Raises:
            InvalidArgumentError: `time_expr` is not understood, or `metadata` compares what cannot be compared.
            ForbiddenError: the namespace is out of the caller's reach.
        """
        comparisons.check(self.metadata)
        after, before = self.after, self.before
        if self.time_expr:
            start, end = await understand(self.time_expr)
            after, before = max(after or start, start), min(before or end, end)
        return Filters(
            namespace=call.reach.of(self.namespace),
            tags=tuple(self.tags),
            tag_match=self.tag_match,
            type=self.type,
            metadata=self.metadata,
            conversation_id=self.conversation_id,
            after=after,
            before=before,
        )


class MemoryFields(Result):
    """A memory as the tools show it."""

    id: str
    content: str
    tags: list[str]
    type: str
    metadata: Mapping[str, object]
    conversation_id: str | None
    created_at: datetime
    updated_at: datetime

    def text(self) -> str:
        """Show the memory on a line or a few; the structured result has all of it."""
        tags = f" [{', '.join(self.tags)}]" if self.tags else ""
        content = self.content if len(self.content) <= SHOWN_CHARS else self.content[:SHOWN_CHARS] + "…"
        return f"{self.id} ({self.created_at:%Y-%m-%d %H:%M}){tags}: {content}"


def shown(memory: Memory) -> dict[str, object]:
    """Return the fields that every tool shows of a memory."""
    return {name: getattr(memory, name) for name in MemoryFields.model_fields}
