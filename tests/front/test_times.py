"""What people say of time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.search.times import BEGINNING, engine, interval
from memory_mcp.search.times.grammar import GRAMMAR
from memory_mcp.search.times.shapes import KINDS
from memory_mcp.search.times.words import CODES, EASTERN, OTHERS, language

pytestmark = pytest.mark.usefixtures("in_berlin")

NOW = datetime(2026, 11, 20, 11, 30)  # noqa: DTZ001 - a Friday, on the clock of the zone below


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


@pytest.mark.parametrize(
    "expression", ["the 8th", "7", "1.2", "last week morning", "after tomorrow", "at 3", "am 3.", "um 3", "a las 3"]
)
def test_what_may_mean_anything_is_refused(expression: str) -> None:
    """A parser's guess that nobody meant would leave out memories in silence."""
    with pytest.raises(InvalidArgumentError):
        interval(expression, NOW)


def test_a_long_expression_is_shortened_in_the_error() -> None:
    """It repeats what was said, but no more of it than a line."""
    with pytest.raises(InvalidArgumentError, match="…' is no time expression") as caught:
        interval("last week " * 20, NOW)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("expression", ["qwertz", "year 9999", "31 December 9999", "December 9999", " "])
def test_what_is_no_time_is_refused_with_the_alternative(expression: str) -> None:
    """Nothing is guessed, at the end of time neither: the error names the argument and what to use instead."""
    with pytest.raises(InvalidArgumentError, match=rf"time_expr: '{expression}' .* use after and before"):
        interval(expression, NOW)


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("last purple week", "'purple' is not understood"),
        ("the meeting yesterday", "'meeting' is not understood"),
        ("gestern oder irgendwann", "'irgendwann' is not understood"),
        ("Übermorgen vielleicht", "'vielleicht' is not understood"),
        ("昨天的会议", "'会', '议' are not understood"),
        ("all but last week", "'but' is not understood"),
        ("31 June", "there is no 31 June"),
        ("2024-13-01", "there is no 2024-13-01"),
        ("week 60", "from 1 to 53"),
        ("05/03/2023", "may be 2023-03-05 or 2023-05-03"),
        ("Monday May 3 2023", "2023-05-03 is a Wednesday"),
        ("from yesterday to last week", "ends before it begins"),
        ("from Monday", "write 'since'"),
    ],
)
def test_a_refusal_names_what_is_not_understood(expression: str, unknown: str) -> None:
    """The words, the impossible date or the two readings, and examples of what is understood."""
    with pytest.raises(InvalidArgumentError, match=r"time_expr: .*'last week', 'past 48h', 'May 1-10'") as caught:
        interval(expression, NOW)
    assert unknown in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "expression",
    ["from tuesday to sunday", "from sunday to tuesday", "sat-mon", "von Sonntag bis Dienstag", "de domingo a martes"],
)
def test_a_turned_round_span_never_widens(expression: str) -> None:
    """Each pair of weekdays is less than a week that has begun, on every day of a week."""
    for day in range(7):
        now = NOW + timedelta(days=day)
        start, end = interval(expression, now)
        assert end - start <= timedelta(days=7, hours=1)
        assert now.astimezone(UTC) - timedelta(days=10) <= start <= now.astimezone(UTC)


@pytest.mark.parametrize("expression", ["Oct 5 to Oct 2", "vom 5. Mai bis 3. Mai", "2024-05-03..2024-05-01", "May 9-3"])
def test_turned_round_dates_are_refused(expression: str) -> None:
    """They would be nearly a year, or nothing; over New Year it takes less than seven months."""
    with pytest.raises(InvalidArgumentError, match="ends before it begins"):
        interval(expression, NOW)


@pytest.mark.parametrize(
    ("zone", "yesterday"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2024-07-02T22:00Z"),
        ("JST-9", "2024-07-02T15:00Z"),
        ("UTC+3", "2024-07-03T03:00Z"),
        ("<+0530>-5:30", "2024-07-02T18:30Z"),
        ("EST5EDT,M3.2.0,M11.1.0", "2024-07-03T04:00Z"),
        ("Nowhere/Atlantis", "2024-07-03T00:00Z"),
        ("qwertz", "2024-07-03T00:00Z"),
        ("", "2024-07-03T00:00Z"),
        (":Asia/Tokyo", "2024-07-02T15:00Z"),
    ],
)
def test_tz_is_read_as_the_c_library_reads_it(monkeypatch: pytest.MonkeyPatch, zone: str, yesterday: str) -> None:
    """A name, a POSIX rule, or UTC for a wrong name; no form of it is an error."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    now = datetime(2024, 7, 4, 12, tzinfo=UTC)
    assert interval("yesterday", now)[0] == datetime.fromisoformat(yesterday)
    for expression in ("last 7d", "2 hours ago", "May 2023", "1am UTC", "gestern Abend", "last winter", "Q1"):
        assert interval(expression, now)[0] < now


@pytest.mark.parametrize(
    ("expression", "hours"), [("today", 23), ("heute", 23), ("last 24 hours", 24), ("2 hours", 2), ("this week", 167)]
)
def test_days_have_their_real_length_when_clocks_go_forward(expression: str, hours: int) -> None:
    """A day of the calendar has 23 hours then, and 24 hours are 24 hours."""
    start, end = interval(expression, datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    assert end - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("expression", "hours"), [("today", 25), ("heute", 25), ("last 24 hours", 24), ("2 hours", 2), ("this week", 169)]
)
def test_days_have_their_real_length_when_clocks_go_back(expression: str, hours: int) -> None:
    """A day of the calendar has 25 hours then, and 24 hours are 24 hours."""
    start, end = interval(expression, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert end - start == timedelta(hours=hours)


def test_a_time_that_the_clocks_skip_or_repeat_is_read_by_one_rule() -> None:
    """02:30 is an hour later where it is skipped, and the first of both where it comes twice."""
    half_an_hour = timedelta(minutes=30)
    skipped, _ = interval("2026-03-29 02:30", NOW)
    repeated, _ = interval("2026-10-25 02:30", NOW)
    assert skipped + half_an_hour == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert repeated + half_an_hour == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_without_a_midnight_begins_when_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Beirut the clocks went from 24:00 to 01:00."""
    monkeypatch.setenv("TZ", "Asia/Beirut")
    time.tzset()
    start, end = interval("2022-03-27", NOW)
    assert (start, end) == (datetime(2022, 3, 26, 22, tzinfo=UTC), datetime(2022, 3, 27, 21, tzinfo=UTC))


@pytest.mark.parametrize("written", ["вчера", "gisteren", "wczoraj", "igår", "어제", "أمس", "hôm qua", "včera", "χθες"])
def test_yesterday_in_other_languages(written: str) -> None:
    """Single days of more languages are understood by the same rules."""
    assert interval(written, NOW) == interval("yesterday", NOW)


@pytest.mark.parametrize("written", ["5 мая 2023", "5 mei 2023", "5 maja 2023", "2023년 5월 5일"])
def test_dates_in_other_languages(written: str) -> None:
    """And so are their dates."""
    assert interval(written, NOW) == interval("2023-05-05", NOW)


LONG = [
    "last ",
    "1-",
    "of ",
    "一",
    "の",
    "まで",
    "from to ",
    "the day before ",
    "one year and ",
    "der die das ",
    "(",
    "1.1.1.",
]


@pytest.mark.parametrize("part", LONG)
def test_the_work_is_bounded(part: str) -> None:
    """However often a word stands in the 200 characters that are taken, it is refused before many steps."""
    with pytest.raises(InvalidArgumentError):
        interval((part * 200)[:200], NOW)


KNOWN = st.sampled_from([" ".join(atoms) for code in CODES + EASTERN for atoms in language(code).meanings])


@given(st.text(max_size=200) | st.lists(KNOWN | st.sampled_from(["3", "2024", "15:00"]), max_size=12).map(" ".join))
def test_whatever_is_said_is_an_interval_or_refused(expression: str) -> None:
    """No words make another error, an empty interval or one that is not in UTC."""
    try:
        start, end = interval(expression, NOW)
    except InvalidArgumentError:
        return
    assert BEGINNING <= start < end
    assert start.tzinfo is end.tzinfo is UTC


def test_the_grammar_and_the_vocabularies_fit_each_other() -> None:
    """Each symbol is either a kind of token or has rules, each kind is used, and no phrase is a blank."""
    languages = [language(code) for code in CODES + EASTERN + OTHERS]
    kinds = {kind for each in languages for found in each.meanings.values() for kind, _ in found} | KINDS
    used = {
        symbol for rules in GRAMMAR.rules.values() for rule in rules for item in rule.items for symbol in item.symbols
    }
    assert kinds & set(GRAMMAR.rules) == set()
    assert used - kinds == set(GRAMMAR.rules) - {"time"}
    assert kinds - used == set()
    assert [each.code for each in languages if () in each.meanings] == []


def test_too_many_readings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser stops at its bound, which the longest sensible expression is far from."""
    interval("from the first Monday of May last year at 3 pm to the second Tuesday of June last year at 5 pm", NOW)
    monkeypatch.setattr(engine, "MAX_STEPS", 10)
    with pytest.raises(InvalidArgumentError, match="too many readings"):
        interval("last week", NOW)
