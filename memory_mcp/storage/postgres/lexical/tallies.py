"""Counts of a partition that every search asks for: its memories, how many have each term, its vectors.

The same few rows change with every write, so writes add to them at their end, when they are alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memory_mcp.storage.postgres.db.session import PgSession

ALL: Final = ""
"""The name under which all memories of a partition are counted, and their terms."""

Tally = tuple[str, bool, str]
"""Namespace, whether of its documents, and what is counted."""


def vectors_in(space: int) -> str:
    """Return the name under which the vectors of a space are counted; no term has a slash."""
    return f"/{space:d}"


def add_tallies(
    db: PgSession, changes: Mapping[Tally, int], lengths: Mapping[tuple[str, bool], int] | None = None
) -> None:
    """Add to the counts at the end of the write; `lengths` are terms of all memories, by partition."""
    if not db.tallied and changes:
        db.last.append(lambda: _add(db))
    for tally, change in changes.items():
        memories, terms = db.tallied.get(tally, (0, 0))
        more = (lengths or {}).get(tally[:2], 0) if tally[2] == ALL else 0
        db.tallied[tally] = memories + change, terms + more


def _add(db: PgSession) -> None:
    rows = sorted((*tally, *more) for tally, more in db.tallied.items())
    db.execute(
        """INSERT INTO tallies AS t (namespace, documents, name, memories, terms)
           SELECT * FROM unnest(%s::text[], %s::boolean[], %s::text[], %s::bigint[], %s::bigint[])
           ON CONFLICT (namespace, documents, name) DO UPDATE
           SET memories = t.memories + excluded.memories, terms = t.terms + excluded.terms""",
        [list(column) for column in zip(*rows, strict=True)],
    )
