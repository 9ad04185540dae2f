"""What people say of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.services.times import interval

BERLIN = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 20, 11, 30, tzinfo=BERLIN)  # a Friday


@pytest.mark.parametrize(
    ("expression", "start", "end"),
    [
        ("yesterday", "2026-11-19", "2026-11-20"),
        ("gestern", "2026-11-19", "2026-11-20"),
        ("three days ago", "2026-11-17", "2026-11-18"),
        ("last week", "2026-11-09", "2026-11-16"),
        ("letzte Woche", "2026-11-09", "2026-11-16"),
        ("in May 2023", "2023-05-01", "2023-06-01"),
        ("December 2024", "2024-12-01", "2025-01-01"),
        ("2021", "2021-01-01", "2022-01-01"),
        ("2023-05-08", "2023-05-08", "2023-05-09"),
        ("yesterday morning", "2026-11-19T06:00", "2026-11-19T12:00"),
        ("2 hours ago", "2026-11-20T09:00", "2026-11-20T10:00"),
    ],
)
def test_an_expression_is_an_interval_in_the_users_zone(expression: str, start: str, end: str) -> None:
    """Days, weeks, months and years begin at the user's midnight."""

    def local(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)

    assert interval(expression, NOW) == (local(start), local(end))


def test_what_is_no_time_is_refused_with_the_alternative() -> None:
    """Nothing is guessed: the error names the argument and what to use instead."""
    with pytest.raises(InvalidArgumentError, match=r"time_expr: 'qwertz' .* use after and before"):
        interval("qwertz", NOW)
