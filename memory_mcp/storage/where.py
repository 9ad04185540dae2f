"""Conditions of a query, whose values are always parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

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
