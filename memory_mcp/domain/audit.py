"""The audit: who asked for what over HTTP, which memories it concerned, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

MAX_AUDITED_IDS: Final = 100
"""Ids in one line; of the others there is the number."""
MAX_AUDIT_LINES: Final = 1_000
"""Lines of one page."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One request. It has nothing of what was stored, asked or found but ids."""

    at: datetime
    principal: str
    """The caller's id."""
    name: str
    issuer: str
    """The identity provider that knows the caller; empty for our own tokens and the local user."""
    request: str
    """The tool, the method or the page's action."""
    kind: str
    """`read`, `write` or `bulk`; empty for what does not reach the store."""
    outcome: str
    """`ok`, `cancelled` or the code of an error."""
    ids: tuple[str, ...] = ()
    more: int = 0
    """How many ids were left out."""
    namespace: str = ""
    """The one that the request named, else the caller's own; an id may have been found in another within reach."""
    key: int = 0
    """The line's number in the log; 0 before it is written."""


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Which lines are wanted; None for whatever there is."""

    after: datetime | None = None
    before: datetime | None = None
    principal: str | None = None
    """An id or a name."""
    request: str | None = None
    kind: str | None = None
    memory_id: str | None = None
