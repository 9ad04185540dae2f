"""Arguments and results that several tools share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from memory_mcp.domain import comparisons
from memory_mcp.domain.localtime import local
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
from memory_mcp.domain.names import nfc, nfc_json, tags_once
from memory_mcp.domain.principal import Reach
from memory_mcp.search.times import BEGINNING, iso, understand
from memory_mcp.search.times.zone import to_utc
from memory_mcp.tools.base import Arguments, Result
from memory_mcp.tools.json_text import as_object, as_tags

MARK: Final = "…"
"""Stands for the tags or metadata keys that an answer left out."""
PENDING: Final = "searchable by keywords only until it has a vector"
"""What answers say about a memory without a vector."""

_IN_WORDS: Final = re.compile(r"\s*(?:\d{1,3}\s*)?[^\W\d_]")
"""How a time in words begins: yesterday, 3 days ago."""

KeptT = TypeVar("KeptT", list[str], dict[str, object])


def not_blank(text: str) -> str:
    """Return the text unchanged.

    Raises:
        ValueError: it is blank.
    """
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _in_utc(moment: datetime) -> datetime:
    """Convert to UTC; a time without a zone is in the user's."""
    try:
        return to_utc(moment)
    except (OverflowError, ValueError) as error:
        raise ValueError("must be between the years 1 and 9999") from error


def _moment(given: object) -> datetime:
    """Parse a moment; the error for words says that only ISO 8601 is accepted."""
    return _read(given, "must be ISO 8601; only time_expr in filters takes words such as 'yesterday'")


def _bound(given: object) -> datetime:
    """Parse a bound; the error for words points to time_expr."""
    return _read(given, "use time_expr for words such as 'yesterday'")


def _read(given: object, hint: str) -> datetime:
    try:
        return iso.moment(given)
    except ValueError as error:
        if isinstance(given, str) and _IN_WORDS.match(given):
            raise ValueError(f"{error}; {hint}") from error
        raise


def _tidy(tags: list[str]) -> list[str]:
    return tags_once(tag.strip() for tag in tags if tag.strip())


def _composed(text: object) -> object:
    return nfc(text) if isinstance(text, str) else text


def _bounded(metadata: dict[str, object]) -> dict[str, object]:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("must be JSON with finite numbers, valid Unicode and moderate nesting") from error
    size = len(text)
    if size > MAX_METADATA:
        raise ValueError(f"may have at most {MAX_METADATA} characters as JSON; it has {size}")
    if _is_deeper(metadata, MAX_METADATA_DEPTH):
        raise ValueError(f"may be nested at most {MAX_METADATA_DEPTH} levels deep")
    return metadata if text.isascii() else cast("dict[str, object]", nfc_json(metadata))


def _unmarked(kept: KeptT) -> KeptT:
    """Refuse the mark of left-out tags or keys: storing it would lose them."""
    if MARK in kept:
        raise ValueError(
            f"{MARK!r} marks what an answer left out; read the full value first: memory_get(max_chars={MAX_METADATA})"
        )
    return kept


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether JSON is nested deeper than this many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(part, levels - 1) for part in inner))


Composed = BeforeValidator(_composed)
"""For names that are compared: macOS and models write them in different Unicode forms."""
Tag = Annotated[str, Field(max_length=MAX_TAG), Composed]

Content = Annotated[str, Field(min_length=1, max_length=MAX_CONTENT), AfterValidator(not_blank)]
Tags = Annotated[
    list[Tag],
    Field(max_length=MAX_TAGS),
    BeforeValidator(as_tags),
    AfterValidator(_tidy),
]
MetadataField = Annotated[dict[str, object], BeforeValidator(as_object), AfterValidator(_bounded)]
NewTags = Annotated[Tags, AfterValidator(_unmarked)]
NewMetadata = Annotated[MetadataField, AfterValidator(_unmarked)]
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
Bound = Annotated[datetime, BeforeValidator(_bound), AfterValidator(_in_utc)]
Namespace = Annotated[str, Field(min_length=1, max_length=MAX_NAMESPACE), Composed, AfterValidator(not_blank)]
MemoryId = Annotated[str, Field(min_length=1, max_length=MAX_ID), Composed]
ConversationId = Annotated[str, Field(min_length=1, max_length=MAX_CONVERSATION_ID), Composed]
Type = Annotated[str, Field(min_length=1, max_length=MAX_TYPE), Composed]


class FilterArguments(Arguments):
    """Filters that select memories."""

    tags: Annotated[Tags, Field(description="Filter by tag")] = Field(default_factory=list)
    tag_match: Annotated[Literal["any", "all"], Field(description="Match any tag, or all")] = "any"
    type: Annotated[Type | None, Field(description="Filter by kind")] = None
    metadata: Annotated[
        MetadataField,
        Field(
            default_factory=dict,
            description="Filter by metadata keys: value, or {gte, gt, lte, lt, ne: value, in: list}",
        ),
    ]
    conversation_id: Annotated[ConversationId | None, Field(description="Filter by conversation")] = None
    after: Annotated[Bound | None, Field(description="Created at or after (ISO 8601)")] = None
    before: Annotated[Bound | None, Field(description="Created before")] = None
    time_expr: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Such as 'last week' or 'in May 2023'")
    ] = None
    namespace: Annotated[Namespace | None, Field(description="If not the default")] = None

    @property
    def is_timeless(self) -> bool:
        """Whether the filters contain no time relative to now."""
        return self.time_expr is None

    async def filters(self, reach: Reach) -> Filters:
        """Return the filters with the default namespace and the interval of `time_expr` filled in.

        Raises:
            InvalidArgumentError: `time_expr` is not understood, or a comparison in `metadata` is invalid.
            ForbiddenError: the caller may not use the namespace.
        """
        comparisons.check(self.metadata)
        after, before = self.after, self.before
        if self.time_expr:
            start, end = await understand(self.time_expr)
            before = min(before or end, end)
            if start != BEGINNING:
                after = max(after or start, start)
        return Filters(
            namespace=reach.of(self.namespace),
            tags=tuple(self.tags),
            tag_match=self.tag_match,
            type=self.type,
            metadata=self.metadata,
            conversation_id=self.conversation_id,
            after=after,
            before=before,
        )


def _may_be_left_out(schema: dict[str, Any]) -> None:
    """Make fields optional that `fitting.brief` leaves out of a memory among many."""
    schema["required"] = ["id", "content", "created_at"]


class Shown(Result):
    """A memory or revision as shown; a long one is shortened."""

    content: str
    tags: list[str]
    type: str
    metadata: Mapping[str, object]
    shortened: bool = Field(
        default=False, exclude_if=lambda value: not value, description="Present only if true; memory_get has the rest"
    )
    detail: Literal[0, 1, 2] = Field(default=0, exclude=True)
    """How many uninformative fields the structured result leaves out (`fitting.brief`)."""

    @property
    def passage_shown(self) -> str | None:
        """The part of the content that is shown twice."""
        return None

    def heading(self) -> str:
        """Return one line about it, without its content."""
        raise NotImplementedError

    def text(self) -> str:
        """Return the heading and the content."""
        return f"{self.heading()}: {self.content}{'…' if self.shortened else ''}"


class MemoryFields(Shown):
    """A memory as the tools show it."""

    model_config = ConfigDict(json_schema_extra=_may_be_left_out)

    id: str
    conversation_id: str | None
    created_at: datetime
    updated_at: datetime

    def heading(self) -> str:
        """Return its id, time, type, conversation and tags."""
        about = [local(self.created_at), *kind_of(self.type)]
        about += [f"conversation {self.conversation_id}"] if self.conversation_id else []
        tags = f" [{', '.join(self.tags)}]" if self.tags else ""
        return f"{self.id} ({'; '.join(about)}){tags}"


def kind_of(kind: str) -> list[str]:
    """Return a memory's type, unless it is the default."""
    return [] if kind == "note" else [kind]


SHOWN: Final = ("id", "content", "tags", "type", "metadata", "conversation_id", "created_at", "updated_at")


def shown(memory: Memory) -> dict[str, object]:
    """Return the fields of a memory that every tool shows."""
    return {name: getattr(memory, name) for name in SHOWN}
