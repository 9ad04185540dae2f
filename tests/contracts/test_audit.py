"""The audit's port: what every store promises of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.audit import AuditFilters, AuditLine
from memory_mcp.domain.ports import AuditLog, Store, SupportsAudit

START = datetime(2026, 3, 1, tzinfo=UTC)
ANN = AuditLine(START, "u-1", "ann", "https://id.example.org", "memory_store", "write", "ok", ("a", "b"), 3, "team-a")
LINES = [
    ANN,
    replace(ANN, at=START + timedelta(hours=1), request="memory_search", kind="read", ids=(), more=0),
    AuditLine(START + timedelta(hours=2), "t-2", "laptop", "", "memory_delete", "write", "forbidden", ("a",)),
]


@pytest.fixture
async def audit(store: Store) -> AuditLog:
    """Give one audit after the other, with three lines."""
    assert isinstance(store, SupportsAudit)
    await store.audit.append(LINES[:2])
    await store.audit.append(LINES[2:])
    return store.audit


async def listed(audit: AuditLog, filters: AuditFilters, before: int | None = None, limit: int = 10) -> list[AuditLine]:
    """Return lines without their keys, which are the store's."""
    return [replace(line, key=0) for line in await audit.lines(filters, before=before, limit=limit)]


async def test_lines_come_back_as_they_were_written(audit: AuditLog) -> None:
    """The newest first, a page at a time."""
    everything = AuditFilters()
    assert await listed(audit, everything) == LINES[::-1]
    [newest] = await audit.lines(everything, before=None, limit=1)
    assert await listed(audit, everything, before=newest.key, limit=1) == [LINES[1]]


@pytest.mark.parametrize(
    ("filters", "places"),
    [
        (AuditFilters(principal="u-1"), [1, 0]),
        (AuditFilters(principal="laptop"), [2]),
        (AuditFilters(request="memory_search"), [1]),
        (AuditFilters(kind="write"), [2, 0]),
        (AuditFilters(memory_id="a"), [2, 0]),
        (AuditFilters(memory_id="b"), [0]),
        (AuditFilters(memory_id="%"), []),
        (AuditFilters(after=START + timedelta(hours=1)), [2, 1]),
        (AuditFilters(before=START + timedelta(hours=2)), [1, 0]),
        (AuditFilters(after=START + timedelta(hours=1), before=START + timedelta(hours=2), kind="read"), [1]),
        (AuditFilters(principal="' OR 1=1 --"), []),
    ],
)
async def test_lines_are_found_by_what_they_say(audit: AuditLog, filters: AuditFilters, places: list[int]) -> None:
    """By any of it, and by all together."""
    assert await listed(audit, filters) == [LINES[place] for place in places]


async def test_ids_that_no_text_can_be_are_kept_otherwise(audit: AuditLog) -> None:
    """A caller who names one hides neither that line nor the others."""
    await audit.append([replace(ANN, ids=("a\0", "\ud800", "c"))])
    assert await listed(audit, AuditFilters(memory_id="c")) == [replace(ANN, ids=("a\ufffd", "?", "c"))]


async def test_old_lines_are_purged(audit: AuditLog) -> None:
    """Those from before a moment, and no other; keys are not given twice."""
    assert await audit.purge(START) == 0
    assert await audit.purge(START + timedelta(hours=2)) == 2
    assert await listed(audit, AuditFilters()) == [LINES[2]]
    [kept] = await audit.lines(AuditFilters(), before=None, limit=10)
    await audit.append(LINES[:1])
    [added, _] = await audit.lines(AuditFilters(), before=None, limit=10)
    assert added.key > kept.key
