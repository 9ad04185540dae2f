"""The days of a year that have names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

_FIXED: Final = {
    "new_year": (1, 1),
    "epiphany": (1, 6),
    "valentine": (2, 14),
    "st_patrick": (3, 17),
    "may_day": (5, 1),
    "independence": (7, 4),
    "bastille": (7, 14),
    "assumption": (8, 15),
    "china_national": (10, 1),
    "german_unity": (10, 3),
    "halloween": (10, 31),
    "all_saints": (11, 1),
    "armistice": (11, 11),
    "nicholas": (12, 6),
    "christmas_eve": (12, 24),
    "christmas": (12, 25),
    "boxing_day": (12, 26),
    "new_years_eve": (12, 31),
}
_FROM_EASTER: Final = {
    "rose_monday": -48,
    "ash_wednesday": -46,
    "good_friday": -2,
    "easter": 0,
    "easter_monday": 1,
    "ascension": 39,
    "pentecost": 49,
    "whit_monday": 50,
}
"""Days after Easter Sunday."""


def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's algorithm)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, kept = divmod(century, 4)
    epact = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * kept + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _weekday(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


_COUNTED: Final[dict[str, Callable[[int], date]]] = {
    "thanksgiving": lambda year: _weekday(year, 11, 3, 4),
    "black_friday": lambda year: _weekday(year, 11, 3, 4) + timedelta(days=1),
    "labor": lambda year: _weekday(year, 9, 0, 1),
    "memorial": lambda year: _weekday(year, 6, 0, 1) - timedelta(days=7),
}
"""As the United States count them."""


SPANS: Final[dict[str, tuple[Callable[[int], date], int]]] = {
    "christmas": (lambda year: date(year, 12, 24), 3),
    "after_christmas": (lambda year: date(year, 12, 27), 5),
    "new_year": (lambda year: date(year, 12, 31), 2),
    "holy_week": (lambda year: easter(year) - timedelta(days=7), 8),
    "easter": (lambda year: easter(year) - timedelta(days=2), 4),
    "pentecost": (lambda year: easter(year) + timedelta(days=48), 3),
}
"""Holidays of several days, by their first day and their number: "über Weihnachten" is 24-26 December."""


def holiday(name: str, year: int) -> date:
    """Return the day of a holiday of the vocabularies in a year."""
    if name in _FIXED:
        return date(year, *_FIXED[name])
    if name in _FROM_EASTER:
        return easter(year) + timedelta(days=_FROM_EASTER[name])
    return _COUNTED[name](year)
