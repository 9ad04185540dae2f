"""What people say of time ("last week", "May 1-10", "vor drei Tagen", 上周五) as an interval, in the user's zone.

Every word is accounted for: what is not understood completely is refused, because a guess would delete or leave out
memories in silence. A vocabulary of each language (`words`) and the shapes of numbers and dates (`shapes`) say what
words may be, one grammar (`grammar`) what rows of them mean; `periods`, `spans` and `holidays` know the calendar and
`zone` the C library's local time.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from memory_mcp.domain.errors import InvalidArgumentError

Interval = tuple[datetime, datetime]
SHOWN: Final = 80
"""Characters of an expression that an error repeats."""
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""Where an interval that only ends begins ("before May")."""


def interval(expression: str, now: datetime) -> Interval:
    """Return the [start, end) that an expression means, as aware UTC datetimes.

    Args:
        expression: English or German, or the usual forms of French, Spanish, Italian, Portuguese, Chinese or Japanese.
        now: the moment that it is relative to; without a zone it is local time. Days and weeks are the user's.

    Raises:
        InvalidArgumentError: it is not understood completely; names the words that are not.
    """
    from memory_mcp.search.times.reading import NotUnderstoodError, read  # noqa: PLC0415 - for this argument alone

    try:
        span = read(expression, now.astimezone(UTC))
    except NotUnderstoodError as error:
        raise InvalidArgumentError(
            "time_expr",
            f"{_shown(expression)!r} is no time expression: {error}; write for instance 'last week', 'past 48h', "
            "'May 1-10' or 'since Monday', or use after and before (ISO 8601) instead",
        ) from error
    return span.start, span.end


def _shown(expression: str) -> str:
    return expression if len(expression) <= SHOWN else expression[: SHOWN - 1] + "…"


def meaning(expression: str) -> Interval:
    """Return the [start, end) that an expression means now and here; see `interval`."""
    return interval(expression, datetime.now(UTC))


async def understand(expression: str) -> Interval:
    """Return what an expression means now and here, without holding up others."""
    return await asyncio.to_thread(meaning, expression)
