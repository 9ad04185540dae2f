"""What people say of time ("last week", "in May 2023", "letzte Woche") as an interval, in the user's zone.

dateparser knows points in time, in many languages. What is made of them (since, between, the last three days, the
morning of a day) it does not know, and it passes over words like "after": the phrases here are looked at first.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.services import periods
from memory_mcp.services.periods import Span


def interval(expression: str, now: datetime) -> Span:
    """Return the [start, end) that an expression means, as aware UTC datetimes.

    Args:
        expression: in any language that dateparser knows.
        now: a naive datetime of the system's zone, whose days and weeks are meant.

    Raises:
        InvalidArgumentError: it is no time that could be understood.
    """
    try:
        text = re.sub(r"\b(?:a )?couple of\b", "2", " ".join(expression.split()), flags=re.IGNORECASE)
        start, end = _meant(text.rstrip(".,!?"), now)
        return _in_utc(start), _in_utc(end)
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            "time_expr", f"{expression!r} is no time that is understood; use after and before (ISO 8601) instead"
        ) from error


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment == datetime.min else moment.astimezone(UTC)  # noqa: DTZ901 - naive too


def _meant(text: str, now: datetime) -> Span:
    """Return what a text means by the first phrase that it is."""
    for pattern, meaning in _PHRASES:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            start, end = meaning(found, now)
            if start >= end:
                raise ValueError("it ends before it begins")
            return start, end
    return _dated(text, now)


def _dated(text: str, now: datetime) -> Span:
    moment, period = _parsed(text, now)
    return periods.AROUND[period](moment)


def _parsed(text: str, now: datetime) -> tuple[datetime, str]:
    """Return a naive moment of the system's zone and the kind of period around it."""
    from dateparser.date import DateDataParser  # noqa: PLC0415 - half a second, for this argument alone

    if re.fullmatch(_ANYTHING, text, re.IGNORECASE):
        raise ValueError("it may be anything")
    settings: dict[str, object] = {
        "RELATIVE_BASE": now,
        "PREFER_DATES_FROM": "past",
        "RETURN_TIME_AS_PERIOD": True,
    }
    if re.search(r"\b\d\d?\.\d\d?\.\d\d", text):  # with dots the day comes first, everywhere
        settings["DATE_ORDER"] = "DMY"
    found = DateDataParser(settings=settings).get_date_data(text)
    if found.date_obj is None or found.period not in periods.AROUND:
        raise ValueError("no time was recognised")
    if found.date_obj.tzinfo is None:
        return found.date_obj, found.period
    return found.date_obj.astimezone().replace(tzinfo=None), found.period  # the expression names a zone


def _since(found: re.Match[str], now: datetime) -> Span:
    return _meant(found[1], now)[0], periods.day(now)[1]


def _after(found: re.Match[str], now: datetime) -> Span:
    return _meant(found[1], now)[1], periods.day(now)[1]


def _before(found: re.Match[str], now: datetime) -> Span:
    return datetime.min, _meant(found[1], now)[0]  # noqa: DTZ901 - naive as the others


def _until(found: re.Match[str], now: datetime) -> Span:
    return datetime.min, _meant(found[1], now)[1]  # noqa: DTZ901 - naive as the others


def _between(found: re.Match[str], now: datetime) -> Span:
    """Read "May to July 2023" too: the first has the year of the second."""
    start, (last, end) = _meant(found[1], now)[0], _meant(found[2], now)
    if start > last:
        start = _meant(f"{found[1]} {last.year}", now)[0]
    return start, end


def _lasting(ago: str) -> Callable[[re.Match[str], datetime], Span]:
    """Return the meaning of the time from so long `ago` until now."""

    def meaning(found: re.Match[str], now: datetime) -> Span:
        length = " ".join(part for part in found.groups() if part)
        many = length if " " in length else f"1 {length}"
        return _parsed(ago.format(many), now)[0], now

    return meaning


def _quarter(found: re.Match[str], _: datetime) -> Span:
    return periods.quarter(datetime(int(found[2]), 3 * int(found[1]), 1))  # noqa: DTZ001 - naive as the others


def _decade(found: re.Match[str], _: datetime) -> Span:
    return periods.decade(datetime(int(found[1] or 19) * 100 + int(found[2]), 1, 1))  # noqa: DTZ001 - naive as the others


def _turned(period: Callable[[datetime], Span]) -> Callable[[re.Match[str], datetime], Span]:
    """Return the meaning of the last one of a period, or of this one."""

    def meaning(found: re.Match[str], now: datetime) -> Span:
        this = period(now)
        return period(this[0] - timedelta(days=7)) if re.fullmatch(_LAST, found[1], re.IGNORECASE) else this

    return meaning


def _last(found: re.Match[str], now: datetime) -> Span:
    """Read "last May" and "letzten Montag", which dateparser does not: the latest one that is over."""
    try:
        return _dated(found[0], now)
    except ValueError:
        start, end = _dated(found[1], now)
    if end <= now:
        return start, end
    if (start, end) != periods.month(start):
        raise ValueError("there is no last one of these")
    return periods.month(start.replace(year=start.year - 1))


def _point(found: re.Match[str], now: datetime) -> Span:
    return _dated(found[1], now)


def _part_of_day(found: re.Match[str], now: datetime) -> Span:
    day = now if re.fullmatch(_THIS, found[1], re.IGNORECASE) else _whole_day(found[1], now)
    first, end = next(hours for name, hours in _HOURS.items() if re.fullmatch(name, found[2], re.IGNORECASE))
    return periods.midnight(day) + timedelta(hours=first), periods.midnight(day) + timedelta(hours=end)


def _tonight(_: re.Match[str], now: datetime) -> Span:
    return periods.midnight(now) + timedelta(hours=18), periods.midnight(now) + timedelta(hours=30)


def _last_night(found: re.Match[str], now: datetime) -> Span:
    return _tonight(found, now - timedelta(days=1))


def _whole_day(text: str, now: datetime) -> datetime:
    start, end = _meant(text, now)
    if (start, end) != periods.day(start):
        raise ValueError("it has no one morning")
    return start


_ANYTHING: Final = r"(?:on |the )*\d{1,3}(?:st|nd|rd|th)?|\d+[.,]\d+"
"""What dateparser would make a month or a year of."""
_LAST: Final = r"last|past|previous|(?:letzt|vorig|vergangen)e[nrsm]?"
_OF_NOW: Final = r"this|current|diese[rsmn]?"
_THIS: Final = r"this|today|heute|dieser|diesen|ce|cet|cette|esta|aujourd['’]hui"
_LENGTH: Final = r"(\w+) (minutes?|hours?|days?|weeks?|months?|years?)"
_LAENGE: Final = r"(\w+) (Minuten|Stunden|Tagen?|Wochen|Monaten?|Jahren?)"
_DURING: Final = r"(?:in|over|during|within|for|from)"

_HOURS: Final = {
    r"morning|Morgen|früh|Vormittag|matin|mañana|manhã": (6, 12),
    r"noon|Mittag|midi": (11, 14),
    r"afternoon|Nachmittag|après-midi|tarde": (12, 18),
    r"evening|Abend|soir": (17, 24),
    r"night|Nacht|nuit|noche|noite": (18, 30),
}
"""Hours after midnight; a night ends in the next morning."""

_PHRASES: Final[tuple[tuple[str, Callable[[re.Match[str], datetime], Span]], ...]] = (
    (r"(?:ever )?(?:since|seit(?: dem)?|depuis|desde) (.+)", _since),
    (r"(?:after|nach(?: dem)?|après|después de|depois de|dopo) (.+)", _after),
    (r"(?:before|prior to|avant|antes de|prima di) (.+)", _before),
    (r"vor (?:dem )?((?:\d\d?\. ?)?(?:[^\W\d]+ )?\d{4}|\d\d?\.\d\d?\.\d*)", _before),  # not "vor drei Tagen"
    (r"(?:by|until|till|up to|bis(?: zum)?|jusqu['’]à|jusqu['’]en|hasta|até|fino a) (.+)", _until),
    (r"(?:between|zwischen(?: dem)?|entre|tra) (.+?) (?:and|und(?: dem)?|et|y|e) (.+)", _between),
    (r"(?:from|vom|von|du|de|del|dal) (.+?) (?:to|till|until|through|bis(?: zum)?|à|au|a|al|até) (.+)", _between),
    (r"(.+?)(?: (?:to|through|bis|-|\.\.) | ?[–—] ?)(.+)", _between),
    (rf"(?:{_DURING} )?(?:the |these )?(?:last|past|previous) {_LENGTH}", _lasting("{} ago")),
    (r"(?:the )?(?:past|last(?= (?:hour|minute))) (minute|hour|day|week|month|year)", _lasting("{} ago")),
    (rf"{_DURING} the (?:last|past) (minute|hour|day|week|month|year)", _lasting("{} ago")),
    (rf"(?:in |während )?(?:der |den |die )?(?:letzten|vergangenen) {_LAENGE}", _lasting("vor {}")),
    (r"(?:au cours des|pendant les|dans les|les|ces) (\w+) derni(?:ers|ères) (\w+)", _lasting("il y a {}")),
    (r"(?:(?:en|durante) )?(?:los|las) últim[oa]s (\w+) (\w+)", _lasting("hace {}")),
    (rf"(?:the |an |am )?({_LAST}|{_OF_NOW}) (?:weekend|Wochenende)", _turned(periods.weekend)),
    (rf"(?:in |in der )?({_LAST}|{_OF_NOW}) (?:week|Woche)", _turned(periods.week)),
    (rf"(?:in |im )?({_LAST}|{_OF_NOW}) (?:month|Monat)", _turned(periods.month)),
    (rf"(?:the |in |im )?({_LAST}|{_OF_NOW}) (?:quarter|Quartal)", _turned(periods.quarter)),
    (rf"(?:in |im )?({_LAST}|{_OF_NOW}) (?:year|Jahr)", _turned(periods.year)),
    (rf"(?:the |in the )?({_LAST}|{_OF_NOW}) (?:decade|Jahrzehnt)", _turned(periods.decade)),
    (r"(?:in )?q([1-4])[ /]?(?:of )?(\d{4})", _quarter),
    (r"(?:in )?(?:the |den |die )?['’]?(\d\d|(?=[2-9]0))(\d0)['’]?(?:s|ern?)(?: Jahren?)?", _decade),
    (r"tonight|heute Nacht|ce soir|esta noche", _tonight),
    (r"last night|letzte Nacht|gestern Nacht|la nuit dernière|anoche", _last_night),
    (rf"(.+?)(?:[ -]| in the | at | au | por la | de la )({'|'.join(_HOURS)})", _part_of_day),
    (rf"(?:am |on )?(?:{_LAST}) (\w+)", _last),
    (r"am (.+)", _point),
)
"""What each phrase means; the first that fits a whole expression."""


def meaning(expression: str) -> Span:
    """Return the [start, end) that an expression means now and here; see `interval`."""
    return interval(expression, datetime.now().astimezone().replace(tzinfo=None))


async def understand(expression: str) -> Span:
    """Return what an expression means now and here, without holding up others."""
    return await asyncio.to_thread(meaning, expression)
