"""Conditions of a query, whose values are always parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from memory_mcp.domain.models import DOCUMENT, Filters, NewMemory
from memory_mcp.storage.rows import metadata_digest, to_micros

V = TypeVar("V")


@dataclass(slots=True)
class WhereClause(Generic[V]):
    """SQL after WHERE, and its parameters in order."""

    parts: list[str] = field(default_factory=list)
    parameters: list[V] = field(default_factory=list)

    def add(self, part: str, *parameters: V) -> None:
        """Add a condition."""
        self.parts.append(part)
        self.parameters.extend(parameters)

    @property
    def sql(self) -> str:
        """All parts, joined."""
        return " AND ".join(self.parts)


ColumnCondition = tuple[str, tuple[str | int | bytes, ...]]
"""SQL with ? for each parameter, and the parameters."""


def of_filters(filters: Filters) -> Iterator[ColumnCondition]:
    """Yield what live memories (`memories AS m`) must be like; tags and metadata are each database's own."""
    yield "m.deleted_at IS NULL", ()
    yield "m.namespace = ?", (filters.namespace,)
    if filters.documents is not None:
        yield "m.type = ?" if filters.documents else "m.type <> ?", (DOCUMENT,)
    if filters.type is not None:
        yield "m.type = ?", (filters.type,)
    if filters.conversation_id is not None:
        yield "m.conversation_id = ?", (filters.conversation_id,)
    if filters.after is not None:
        yield "m.created_at >= ?", (to_micros(filters.after),)
    if filters.before is not None:
        yield "m.created_at < ?", (to_micros(filters.before),)


def of_duplicates(new: NewMemory, text: bytes) -> Iterator[ColumnCondition]:
    """Yield what live memories with this text and every field that the new one sets must be like."""
    yield "namespace = ? AND digest = ? AND deleted_at IS NULL", (new.namespace, text)
    if new.created_at is not None:
        yield "created_at = ?", (to_micros(new.created_at),)
    if new.type is not None:
        yield "type = ?", (new.type,)
    if new.metadata is not None:
        wanted = metadata_digest(new.metadata)
        yield ("metadata_digest IS NULL", ()) if wanted is None else ("metadata_digest = ?", (wanted,))
