"""What people say of time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.services.times import interval

NOW = datetime(2026, 11, 20, 11, 30)  # noqa: DTZ001 - a Friday, on the clock of the zone below


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be in a zone with daylight saving."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "start", "end"),
    [
        ("yesterday", "2026-11-19", "2026-11-20"),
        ("gestern", "2026-11-19", "2026-11-20"),
        ("three days ago", "2026-11-17", "2026-11-18"),
        ("last week", "2026-11-09", "2026-11-16"),
        ("letzte Woche", "2026-11-09", "2026-11-16"),
        ("la semaine dernière", "2026-11-09", "2026-11-16"),
        ("la semana pasada", "2026-11-09", "2026-11-16"),
        ("vor drei Tagen", "2026-11-17", "2026-11-18"),
        ("il y a trois jours", "2026-11-17", "2026-11-18"),
        ("im Mai 2023", "2023-05-01", "2023-06-01"),
        ("en mai 2023", "2023-05-01", "2023-06-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("this week", "2026-11-16", "2026-11-23"),
        ("in May 2023", "2023-05-01", "2023-06-01"),
        ("December 2024", "2024-12-01", "2025-01-01"),
        ("2021", "2021-01-01", "2022-01-01"),
        ("2023-05-08", "2023-05-08", "2023-05-09"),
        ("yesterday morning", "2026-11-19T06:00", "2026-11-19T12:00"),
        ("gestern Morgen", "2026-11-19T06:00", "2026-11-19T12:00"),
        ("heute Abend", "2026-11-20T17:00", "2026-11-21"),
        ("hier soir", "2026-11-19T17:00", "2026-11-20"),
        ("last night", "2026-11-19T18:00", "2026-11-20T06:00"),
        ("last Tuesday morning", "2026-11-17T06:00", "2026-11-17T12:00"),
        ("last weekend", "2026-11-14", "2026-11-16"),
        ("dieses Wochenende", "2026-11-21", "2026-11-23"),
        ("letzten Montag", "2026-11-16", "2026-11-17"),
        ("last May", "2026-05-01", "2026-06-01"),
        ("last November", "2025-11-01", "2025-12-01"),
        ("im letzten Jahr", "2025-01-01", "2026-01-01"),
        ("last quarter", "2026-07-01", "2026-10-01"),
        ("Q1 2024", "2024-01-01", "2024-04-01"),
        ("the 1990s", "1990-01-01", "2000-01-01"),
        ("in the '80s", "1980-01-01", "1990-01-01"),
        ("last 7 days", "2026-11-13T11:30", "2026-11-20T11:30"),
        ("past week", "2026-11-13T11:30", "2026-11-20T11:30"),
        ("in den letzten drei Tagen", "2026-11-17T11:30", "2026-11-20T11:30"),
        ("les 3 derniers jours", "2026-11-17T11:30", "2026-11-20T11:30"),
        ("a couple of days ago", "2026-11-18", "2026-11-19"),
        ("since Monday", "2026-11-16", "2026-11-21"),
        ("seit Mai 2023", "2023-05-01", "2026-11-21"),
        ("after June 2024", "2024-07-01", "2026-11-21"),
        ("between May and July 2023", "2023-05-01", "2023-08-01"),
        ("von Mai bis Juli 2023", "2023-05-01", "2023-08-01"),
        ("2023-05-01 to 2023-05-08", "2023-05-01", "2023-05-09"),
        ("08.05.2023", "2023-05-08", "2023-05-09"),
        ("am 8. Mai 2023", "2023-05-08", "2023-05-09"),
        ("2 hours ago", "2026-11-20T09:00", "2026-11-20T10:00"),
        ("in July 2026", "2026-07-01", "2026-08-01"),
        ("2026-11-01 17:00 UTC", "2026-11-01T17:30", "2026-11-01T18:30"),
        ("2024-05-01T10:00:00+05:00", "2024-05-01T06:30", "2024-05-01T07:30"),
    ],
)
def test_an_expression_is_an_interval_in_the_users_zone(expression: str, start: str, end: str) -> None:
    """Days, weeks, months and years begin at the user's midnight."""

    def local(text: str) -> datetime:
        return datetime.fromisoformat(text).astimezone(UTC)

    assert interval(expression, NOW) == (local(start), local(end))


@pytest.mark.parametrize(
    ("expression", "end"),
    [
        ("before May 2023", "2023-05-01"),
        ("vor dem 8. Mai 2023", "2023-05-08"),
        ("until last week", "2026-11-16"),
        ("bis Mai 2023", "2023-06-01"),
    ],
)
def test_what_only_ends_begins_with_time(expression: str, end: str) -> None:
    """Nothing is too old for what was before something."""
    assert interval(expression, NOW) == (datetime.min.replace(tzinfo=UTC), datetime.fromisoformat(end).astimezone(UTC))


@pytest.mark.parametrize("expression", ["the 8th", "7", "1.2", "a few days ago", "last week morning", "after tomorrow"])
def test_what_may_mean_anything_is_refused(expression: str) -> None:
    """A parser's guess that nobody meant would leave out memories in silence."""
    with pytest.raises(InvalidArgumentError):
        interval(expression, NOW)


@pytest.mark.parametrize("expression", ["qwertz", "year 9999", "31 December 9999", "December 9999", " "])
def test_what_is_no_time_is_refused_with_the_alternative(expression: str) -> None:
    """Nothing is guessed, at the end of time neither: the error names the argument and what to use instead."""
    with pytest.raises(InvalidArgumentError, match=rf"time_expr: '{expression}' .* use after and before"):
        interval(expression, NOW)
