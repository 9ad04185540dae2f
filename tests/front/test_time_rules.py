"""By which rules a phrase of time is one of those that it could be, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.search.times import interval

pytestmark = pytest.mark.usefixtures("in_berlin")

NOW = datetime(2026, 11, 20, 11, 30)  # noqa: DTZ001 - a Friday, on the clock of the zone below


WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@pytest.mark.parametrize("first", WEEKDAYS)
def test_a_span_of_weekdays_is_at_least_half_over(first: str) -> None:
    """It is the latest of which no more days are to come than are over, from a weekday to itself none."""
    for last in WEEKDAYS:
        for day in range(7):
            now = NOW + timedelta(days=day)
            start, end = (moment.astimezone() for moment in interval(f"{first} to {last}", now))
            over, to_come = (now.date() - start.date()).days, (end.date() - now.date()).days - 1
            assert over >= max(to_come, 0) if first != last else to_come <= 0
            assert (start.weekday(), (end - timedelta(hours=1)).weekday()) == (
                WEEKDAYS.index(first),
                WEEKDAYS.index(last),
            )


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("yesterday 5pm to now", "2026-11-19T17:00"),
        ("monday 9am until now", "2026-11-16T09:00"),
        ("2026-11-01 09:00 - now", "2026-11-01T09:00"),
        ("seit gestern 17 Uhr bis jetzt", "2026-11-19T17:00"),
        ("zwischen Montag und jetzt", "2026-11-16"),
        ("9am to now", "2026-11-20T09:00"),
        ("seit 22 Uhr bis jetzt", "2026-11-19T22:00"),
        ("ayer a las 17:00 hasta ahora", "2026-11-19T17:00"),
        ("lundi 9h jusqu'à présent", "2026-11-16T09:00"),
        ("昨天下午5点至今", "2026-11-19T17:00"),
        ("昨日の17時から今まで", "2026-11-19T17:00"),
    ],
)
def test_an_end_at_now_borrows_nothing_from_the_beginning(expression: str, start: str) -> None:
    """Its day is today, whatever day the beginning has."""
    begun = datetime.fromisoformat(start).astimezone(UTC)
    assert interval(expression, NOW) == (begun, NOW.astimezone(UTC))


@pytest.mark.parametrize(
    "expression",
    ["yesterday 5pm to today", "gestern 17 Uhr bis heute", "ieri alle 17 fino ad oggi", "昨天下午5点到今天"],
)
def test_an_end_at_today_is_the_end_of_today(expression: str) -> None:
    """And the beginning is yesterday's."""
    start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in ("2026-11-19T17:00", "2026-11-21"))
    assert interval(expression, NOW) == (start, end)


@pytest.mark.parametrize(
    "expression", ["since 23:00", "seit 22 Uhr", "since 5am", "10pm to 2am", "22:00-02:00", "dalle 15"]
)
def test_a_clock_time_of_the_past_is_never_ahead(expression: str) -> None:
    """At every hour of a day it is the latest that has begun."""
    for hour in range(24):
        now = NOW.replace(hour=hour)
        start, _ = interval(expression, now)
        assert now.astimezone(UTC) - timedelta(days=1) < start <= now.astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "coming_from"),
    [
        ("heute Nacht", 12),
        ("diese Nacht", 12),
        ("cette nuit", 12),
        ("questa notte", 12),
        ("stanotte", 12),
        ("tonight", 6),
        ("esta noche", 6),
        ("今晚", 6),
    ],
)
def test_this_night_is_the_running_one(expression: str, coming_from: int) -> None:
    """Until an hour of the morning it is the night that began yesterday."""
    for hour in range(24):
        start, _ = interval(expression, NOW.replace(hour=hour))
        assert start.astimezone().day == (19 if hour < coming_from else 20)


@pytest.mark.parametrize(
    ("expression", "friday"),
    [
        ("friday a week ago", "2026-11-13"),
        ("a week ago friday", "2026-11-13"),
        ("Freitag vor einer Woche", "2026-11-13"),
        ("vendredi il y a une semaine", "2026-11-13"),
        ("friday two weeks ago", "2026-11-06"),
        ("Freitag vor zwei Wochen", "2026-11-06"),
    ],
)
def test_a_weekday_some_weeks_ago_is_one_of_that_week(expression: str, friday: str) -> None:
    """The order of the words does not matter, nor does the day on which it is said."""
    for day in range(-4, 3):
        start, _ = interval(expression, NOW + timedelta(days=day))
        assert start == datetime.fromisoformat(friday).astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "until"), [("before 5pm", 17), ("bis 8 Uhr", 8), ("avant 15h", 15), ("until noon", 12)]
)
def test_before_a_clock_time_is_of_today(expression: str, until: int) -> None:
    """It begins at midnight and not with time."""
    day = NOW.replace(hour=0, minute=0)
    assert interval(expression, NOW) == (day.astimezone(UTC), day.replace(hour=until).astimezone(UTC))


@pytest.mark.parametrize(
    ("expression", "meanings"),
    [
        ("März 24", "24 may be a day or a year"),
        ("im Oktober 23", "23 may be a day or a year"),
        ("mars 23", "23 may be a day or a year"),
        ("octubre 23", "23 may be a day or a year"),
        ("in oct 23", "23 may be a day or a year"),
        ("depuis 8h", "8h may be 8 hours or 8 o'clock"),
        ("seit 8h", "8h may be 8 hours or 8 o'clock"),
        ("3M", "3M may be minutes or months"),
        ("last 12 M", "12 M may be minutes or months"),
        ("morgen gestern", "it names two days"),
        ("from 3pm to now", "it has not begun today"),
        ("after 10pm", "it has not begun yet"),
        ("since tonight", "it has not begun yet"),
        ("depuis 8h30", "8 o'clock"),
        ("since 9", "9 alone is no time"),
        ("yesterday to noon", "on which day it ends"),
        ("wednesday 3pm to tuesday", "which week it ends in"),
        ("yesterday at 9", "9 may be in the morning or after noon"),
        ("half past two", "in the morning or after noon"),
        ("Montag 10.12", "10.12 may be a date"),
    ],
)
def test_what_may_mean_two_things_is_refused_with_both(expression: str, meanings: str) -> None:
    """The error says what is missing."""
    with pytest.raises(InvalidArgumentError) as caught:
        interval(expression, NOW)
    assert meanings in str(caught.value)
