"""Moments as programs write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.search.times.iso import moment


@pytest.fixture(autouse=True)
def _in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be in a zone whose offset has half an hour."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2024", "2024-01-01T00:00"),
        ("2024-05", "2024-05-01T00:00"),
        ("2024-05-01", "2024-05-01T00:00"),
        ("20240501", "2024-05-01T00:00"),
        ("2024-05-01T10", "2024-05-01T10:00"),
        ("2024-05-01T10:15", "2024-05-01T10:15"),
        ("2024-05-01 10:15:30", "2024-05-01T10:15:30"),
        (" 2024-05-01T10:15:30 \n", "2024-05-01T10:15:30"),
        ("20240501T1015", "2024-05-01T10:15"),
        ("20240501T101530", "2024-05-01T10:15:30"),
        ("20240501T101500Z", "2024-05-01T10:15:00+00:00"),
        ("2024-05-01t10:15:00z", "2024-05-01T10:15:00+00:00"),
        ("2024-05-01T10:15:00+0200", "2024-05-01T10:15:00+02:00"),
        ("2024-05-01T10:15:00-03", "2024-05-01T10:15:00-03:00"),
        ("2024-05-01 10:15:00 +02:00", "2024-05-01T10:15:00+02:00"),
        ("2024-05-01T10:15:00.5", "2024-05-01T10:15:00.500000"),
        ("2024-05-01T10:15:00,123456789Z", "2024-05-01T10:15:00.123456+00:00"),
        ("2024-W18-3", "2024-05-01T00:00"),
        ("2024W183", "2024-05-01T00:00"),
        ("2024-W18", "2024-04-29T00:00"),
        ("2024-122", "2024-05-01T00:00"),
        ("2024-366", "2024-12-31T00:00"),
        ("2024122", "2024-05-01T00:00"),
        ("2024-12-31T24:00", "2025-01-01T00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("1714558500", "2024-05-01T10:15:00+00:00"),
        (1714558500, "2024-05-01T10:15:00+00:00"),
        (1714558500.5, "2024-05-01T10:15:00.500000+00:00"),
        (1714558500000, "2024-05-01T10:15:00+00:00"),
        ("1714558500000", "2024-05-01T10:15:00+00:00"),
    ],
)
def test_iso_8601_comes_first(given: object, meant: str) -> None:
    """In each of its formats; a reduced precision is where it begins, and what has no offset is the user's time."""
    assert moment(given) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "12", "123", "12345", "202405", "99999", "123456789", "99999999999", "0", "-1", "1e9", "20241301"),
        *(
            "2024-13-01",
            "2024-02-30",
            "2024-05-32",
            "20240532",
            "2024-W54",
            "2024-W00",
            "2023-366",
            "2024-367",
            "2024-000",
        ),
        *("2024-05-01T25:00", "2024-05-01T10:60", "2024-05-01T10:15:61", "2024-05-01T24:01", "2024-05-01T"),
        *("2024-05-01x10:15", "2024-05-01T10.5", "2024-05-01T10:15+25:00", "2024-05-01T10:15+02:99", "0000-01-01"),
        *("2024050110", " 1999123124 ", "2036022900", "2024-05-01T10:15-24", "2024-05-01T10:15+99:59"),
        *("10000-01-01", "+2024-05-01", "05/01/2024", "1.5.2024", "yesterday", "now", "today", "null", "٢٠٢٤"),
        *(0, 1, 12, -5, 2024, 20240501, 999999999, 10_000_000_000_000, 1e300, float("nan"), float("inf")),
        *(True, False, None, [], ["2024"], {}, {"year": 2024}, b"2024"),
    ],
)
def test_what_is_neither_is_refused(given: object) -> None:
    """The reason names the form that is accepted, and the bound where a number was given."""
    with pytest.raises(ValueError, match="datetime") as caught:
        moment(given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        assert "1000000000" in str(caught.value)


def test_digits_that_may_be_a_date_and_its_hour_are_refused() -> None:
    """As text; a number is Unix seconds, and so are digits that are no date."""
    with pytest.raises(ValueError, match="give 2024-05-01T10, or Unix seconds as a number"):
        moment("2024050110")
    assert moment(2024050110) == moment("2024050110000") == datetime(2034, 2, 20, 12, 8, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"its offset \+25 must be less than 24 hours"):
        moment("2024-05-01T10:15+25:00")


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_nothing_else_comes_out(value: object) -> None:
    """Whatever is given is a moment, or refused."""
    try:
        found = moment(value)
    except ValueError:
        return
    assert isinstance(found, datetime)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_python_writes_is_read(written: datetime) -> None:
    """Each moment of UTC, in its own spelling."""
    assert moment(written.isoformat()) == written
