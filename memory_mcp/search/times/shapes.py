"""What is understood by its shape, in every language: numbers, dates of digits, clock times, offsets."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """A terminal of the grammar that ends at a character."""

    end: int
    kind: str
    value: object


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day, and its offset from UTC in minutes where it has one."""

    hour: int
    minute: int = 0
    second: int = 0
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Slashed:
    """05/03/2023, which has the month first in the USA and the day first elsewhere."""

    text: str
    us: date | None
    elsewhere: date | None


@dataclass(frozen=True, slots=True)
class Thousands:
    """1,000 or 1.000; with the other sign it may have decimals."""

    sign: str
    number: int


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day of a year that is not named."""

    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """What looks like a date or time and is none, or may be two."""

    why: str


ZONES: Final = {
    "z": 0,
    "utc": 0,
    "gmt": 0,
    "wet": 0,
    "west": 60,
    "bst": 60,
    "cet": 60,
    "cest": 120,
    "mez": 60,
    "mesz": 120,
    "eet": 120,
    "eest": 180,
    "msk": 180,
    "est": -300,
    "edt": -240,
    "cdt": -300,
    "mst": -420,
    "mdt": -360,
    "pst": -480,
    "pdt": -420,
    "akst": -540,
    "akdt": -480,
    "hst": -600,
    "jst": 540,
    "kst": 540,
    "aest": 600,
    "aedt": 660,
    "nzst": 720,
    "nzdt": 780,
}
"""Minutes from UTC. CST and IST are left out: each names several zones."""
PIVOT: Final = 69
"""Years of two digits from here on are of the 20th century, as in POSIX (strptime, %y)."""


def at(text: str, start: int) -> Iterator[Shape]:
    """Give the shapes that begin at a character of a normal text."""
    for pattern, kind, read in _SHAPES:
        found = pattern.match(text, start)
        if found is None:
            continue
        try:
            value = read(found)
        except ValueError as error:
            value = Wrong(str(error))
        yield Shape(found.end(), _KINDS.get(type(value), kind), value)


def _count(found: re.Match[str]) -> object:
    return Fraction(int(found[0]))


def _thousands(found: re.Match[str]) -> object:
    return Thousands(found[1], int(re.sub("[.,]", "", found[0])))


def _decimal(found: re.Match[str]) -> object:
    return Fraction(found[0].replace(",", "."))


def _vulgar(found: re.Match[str]) -> object:
    """Read 1/2 and 1 1/2; other fractions are no more usual than dates like 2/3."""
    part = Fraction(int(found[2]), int(found[3]))
    if part >= 1 or part.denominator != int(found[3]):
        raise ValueError(f"{found[0]} is no number")
    return int(found[1] or 0) + part


def _year(found: re.Match[str]) -> object:
    return int(found[0])


def year_of(digits: str) -> int:
    """Return the year that four digits, or two, stand for."""
    year = int(digits)
    if len(digits) > 2:
        return year
    return year + (1900 if year >= PIVOT else 2000)


def _short_year(found: re.Match[str]) -> object:
    return year_of(found[1])


def _day(found: re.Match[str]) -> object:
    return _date(int(found["y"]), int(found["m"]), int(found["d"]))


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"there is no {year:04}-{month:02}-{day:02}") from None


def _day_month_year(found: re.Match[str]) -> object:
    return _date(year_of(found["y"]), int(found["m"]), int(found["d"]))


def _day_month(found: re.Match[str]) -> object:
    month, day = int(found["m"]), int(found["d"])
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(2024, month)[1]:
        raise ValueError(f"there is no {found[0]}")
    return MonthDay(month, day)


def _either(found: re.Match[str]) -> object:
    year, first, second = year_of(found["y"]), int(found["a"]), int(found["b"])
    us, elsewhere = (
        date(year, month, day) if _exists(year, month, day) else None
        for month, day in ((first, second), (second, first))
    )
    if us is None and elsewhere is None:
        raise ValueError(f"there is no {found[0]}")
    return Slashed(found[0], us, elsewhere)


def _exists(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _month(found: re.Match[str]) -> object:
    return _date(int(found["y"]), int(found["m"]), 1)


def _week(found: re.Match[str]) -> object:
    return _week_day(int(found["y"]), int(found["w"]), 1)


def _day_of_week(found: re.Match[str]) -> object:
    return _week_day(int(found["y"]), int(found["w"]), int(found["d"]))


def _week_day(year: int, week: int, day: int) -> date:
    try:
        return date.fromisocalendar(year, week, day)
    except ValueError:
        raise ValueError(f"there is no week {week} in {year}") from None


def _day_of_year(found: re.Match[str]) -> object:
    year, number = int(found["y"]), int(found["d"])
    if not 1 <= number <= 365 + calendar.isleap(year):
        raise ValueError(f"there is no day {number} in {year}")
    return date.fromordinal(date(year, 1, 1).toordinal() + number - 1)


def _moment(found: re.Match[str]) -> object:
    try:
        return datetime.fromisoformat(found[0].upper().replace(" Z", "Z"))
    except ValueError:
        raise ValueError(f"{found[0]} is no date and time of ISO 8601") from None


def _west(found: re.Match[str]) -> object:
    """Read an offset after a date and time, unless two clock times follow each other."""
    if found["a"] < found["b"]:
        raise ValueError("it is from one time to another")
    return _moment(found)


def _clock(found: re.Match[str]) -> object:
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"there is no {found[0]}")
    return Clock(hour, minute, second)


def _offset(found: re.Match[str]) -> object:
    minutes = int(found["h"]) * 60 + int(found["m"] or 0)
    if minutes > 14 * 60:
        raise ValueError(f"there is no zone {found[0]}")
    return -minutes if found["s"] == "-" else minutes


def _zone(found: re.Match[str]) -> object:
    return ZONES[found[0]]


def _quarter(found: re.Match[str]) -> object:
    return int(found[1])


def _sign(found: re.Match[str]) -> object:
    return found[0]


def _roman(found: re.Match[str]) -> object:
    return _ROMAN[found[1]]


def _decade(found: re.Match[str]) -> object:
    return int(found[1])


def _chinese(found: re.Match[str]) -> object:
    """Read 十二 or 二〇二四; two digits without 十 are from one to the other: 两三天."""
    digits = found[0].translate(_CHINESE)
    if "十" in digits or "百" in digits:
        return Fraction(_tens(digits))
    if len(digits) == 2 and int(digits[0]) + 1 == int(digits[1]):
        return Fraction(int(digits[0])), Fraction(int(digits[1]))
    if len(digits) not in (1, 4):
        raise ValueError(f"{found[0]} is no number")
    return Fraction(int(digits))


def _tens(digits: str) -> int:
    found = re.fullmatch(r"(?:(\d?)百)?0?(?:(\d?)十)?(\d?)", digits)
    if found is None:
        raise ValueError(f"{digits} is no number")
    hundreds = 100 * int(found[1] or 1) if "百" in digits else 0
    tens = 10 * int(found[2] or 1) if "十" in digits else 0
    return hundreds + tens + int(found[3] or 0)


def _chinese_year(found: re.Match[str]) -> object:
    return int(found[0].translate(_CHINESE))


_ROMAN: Final = {
    numeral: number
    for number, numeral in enumerate(
        ["x", "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii", "xviii", "xix", "xx", "xxi"], 10
    )
}
"""Of centuries."""
_CHINESE: Final = str.maketrans("〇零一二两三四五六七八九", "001223456789")
_KINDS: Final[dict[type, str]] = {Wrong: "wrong", tuple: "few"}
"""Of values that are not what their shape usually is."""
_ALONE: Final = r"(?!\d|[-.]\d|/\d(?!\d{3}-)|:\d)"
"""Behind a date of digits no more digits may follow."""
_AFTER_DIGITS: Final = {"quarter", "halfyear", "slash", "hyphen", "letter_h"}
"""What may follow a number: 2024Q1."""
_FRACTION: Final = r"(?:[.,]\d+)?"
_CUT: Final = r"(?![\d:.a-z+])"

_SHAPES: Final[tuple[tuple[re.Pattern[str], str, Callable[[re.Match[str]], object]], ...]] = tuple(
    (re.compile(pattern if kind in _AFTER_DIGITS else rf"(?<!\d)(?:{pattern})"), kind, read)
    for pattern, kind, read in (
        (r"\d{1,9}(?!\d)", "num", _count),
        (r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?!\d|[.,]\d)", "thousands", _thousands),
        (r"\d{1,4}[.,]\d{1,2}(?!\d|[.,]\d)", "num", _decimal),
        (r"[12]\d{3}(?!\d)", "year", _year),
        (r"'(\d\d)(?!\d|s|er)", "year", _short_year),
        (rf"(?P<y>\d{{4}})(?P<s>[-./])(?P<m>\d\d?)(?P=s)(?P<d>\d\d?){_ALONE}", "date", _day),
        (r"(?P<y>[12]\d{3})(?P<m>\d\d)(?P<d>\d\d)(?!\d)", "date", _day),
        (r"(?P<d>\d\d?)\. ?(?P<m>\d\d?)\. ?(?P<y>\d{4}|\d\d)(?!\d|[.:]\d)", "date", _day_month_year),
        (r"(?P<d>\d\d?)\. ?(?P<m>\d\d?)\.(?!\d| ?\d{4}(?!\d))", "monthday", _day_month),
        (rf"(?P<a>\d\d?)(?P<s>[-/])(?P<b>\d\d?)(?P=s)(?P<y>\d{{4}}|\d\d){_ALONE}", "slashed", _either),
        (rf"(?P<y>\d{{4}})[-/](?P<m>\d\d){_ALONE}", "yearmonth", _month),
        (rf"(?P<m>\d\d?)[/.](?P<y>\d{{4}}){_ALONE}", "yearmonth", _month),
        (rf"(?P<y>\d{{4}})-?w(?P<w>\d\d?){_ALONE}", "yearweek", _week),
        (r"(?P<y>\d{4})-?w(?P<w>\d\d)-?(?P<d>[1-7])(?!\d)", "date", _day_of_week),
        (rf"(?P<y>\d{{4}})-(?P<d>\d{{3}}){_ALONE}", "date", _day_of_year),
        (rf"\d{{4}}-?\d\d-?\d\dt\d\d(?::?\d\d(?::?\d\d{_FRACTION})?)?(?:z|[+-]\d\d:?\d\d)?{_CUT}", "moment", _moment),
        (rf"\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d{_FRACTION})? ?(?:z|\+\d\d:?\d\d){_CUT}", "moment", _moment),
        (r"\d{4}-\d\d-\d\d (?P<a>\d\d:\d\d)-(?P<b>\d\d:\d\d)(?![\d:.a-z+])", "moment", _west),
        (rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d{_FRACTION}-\d\d:\d\d{_CUT}", "moment", _moment),
        (r"(\d{1,2})\.(\d\d)()(?= ?(?:uhr|[ap]\.? ?m\b))", "clock24", _clock),
        (r"(\d{1,2})\.(\d\d)()(?!\d|\.)", "dot_clock", _clock),
        (r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?!\d|:)", "clock24", _clock),
        (r"(?:utc|gmt) ?(?P<s>[+-])(?P<h>\d\d?)(?::?(?P<m>\d\d))?(?!\d|[-./:])", "zone", _offset),
        (r"(?P<s>\+)(?P<h>\d\d):?(?P<m>\d\d)(?!\d|[-./:])", "zone", _offset),
        (rf"(?:{'|'.join(ZONES)})(?!\w|[+-]\d)", "zone", _zone),
        (rf"({'|'.join(sorted(_ROMAN, key=len, reverse=True))})(?:eme|e)?(?![^\W_])", "roman", _roman),
        (r"[qt]([1-4])(?!\d)", "quarter", _quarter),
        (r"h([12])(?!\d)", "halfyear", _quarter),
        (r"h(?![^\W\d_])", "letter_h", _sign),
        (r"/", "slash", _sign),
        (r"[-–—]", "hyphen", _sign),
        (r"(?:(\d{1,3}) )?([1-3])/([24])(?![\d/])", "num", _vulgar),
        (r"([1-9]\d\d0)'?(?:s\b|ern?\b|年代)", "decade", _decade),
        (r"'?(\d0)'?(?:s\b|ern?\b|年代)", "decade2", _decade),
        (r"[零〇一二两三四五六七八九十百]+", "num", _chinese),
        (r"[零〇一二三四五六七八九]{4}", "year", _chinese_year),
    )
)
KINDS: Final = {kind for _, kind, _ in _SHAPES} | set(_KINDS.values())
"""What shapes may be."""
