"""The time that a question names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.search.named_times import named_times

NOW = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
"""A Friday."""


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("What did we plant in May 2022?", "2022-05-01/2022-05-31"),
        ("What did we plant in May?", "05-01/05-31"),
        ("on 3 June", "06-03/06-03"),
        ("since June 3rd, 2023", "2023-06-03/2023-06-03"),
        ("on 29 February", "02-29/02-29"),
        ("last summer", "2026-06-01/2026-08-31"),
        ("in summer", "06-01/08-31"),
        ("in the winter 2023", "2023-12-01/2024-02-29"),
        ("during 2019", "2019-01-01/2019-12-31"),
        ("yesterday", "2026-11-19/2026-11-19"),
        ("last week", "2026-11-09/2026-11-15"),
        ("2024-02-29", "2024-02-29/2024-02-29"),
        ("am 17.5.2024", "2024-05-17/2024-05-17"),
        ("im März", "03-01/03-31"),
        ("en été 2023", "2023-06-01/2023-08-31"),
        ("el 3 de mayo de 2023", "2023-05-03/2023-05-03"),
        ("2023年5月", "2023-05-01/2023-05-31"),
    ],
)
def test_a_day_month_season_or_year_is_read(text: str, days: str) -> None:
    """In six languages, with the year or without."""
    assert [str(time) for time in named_times(text, NOW)] == [days]


@pytest.mark.parametrize(
    "text",
    [
        "May I plant tomatoes?",
        "Did April say that we may march?",
        "the fall of Rome",
        "version 2019.2 of the port 2024",
        "on 31 February 2023",
        "at 10:30",
        "",
    ],
)
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    """A verb, a name, a noun, a number, a day that no year has."""
    assert named_times(text, NOW) == ()


def test_several_times_are_told_once_each() -> None:
    """In the order of the question."""
    assert list(map(str, named_times("in May or in June, not in May", NOW))) == ["05-01/05-31", "06-01/06-30"]


@pytest.mark.parametrize(
    ("text", "day", "away"),
    [
        ("in May 2022", "2022-05-31", 0),
        ("in May 2022", "2022-06-02", 2),
        ("in May 2022", "2023-05-15", 349),
        ("in May", "2023-05-15", 0),
        ("in May", "1999-04-29", 2),
        ("in winter", "2024-01-15", 0),
        ("in winter", "2023-03-02", 2),
        ("on 29 February", "2023-02-28", 0),
        ("on 31 December", "2024-01-01", 1),
    ],
)
def test_a_moment_is_so_many_days_from_it(text: str, day: str, away: int) -> None:
    """An open year is the nearest one; a season goes on into the next year."""
    [time] = named_times(text, NOW)
    assert time.days_from(datetime.fromisoformat(f"{day}T12:00:00+00:00")) == away


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["in May", "in winter", "on 29 February", "in May 1950"]))
def test_every_moment_is_some_days_from_it(moment: datetime, text: str) -> None:
    """Also one of the years 1 and 9999, whose neighbours no calendar has."""
    [time] = named_times(text, NOW)
    assert time.days_from(moment) >= 0


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    """Whatever a question holds, it is answered."""
    assert isinstance(named_times(text, NOW), tuple)
