"""What all rules share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from memory_mcp.search.times.engine import Grammar
from memory_mcp.search.times.periods import period
from memory_mcp.search.times.spans import Cycle, Span
from memory_mcp.search.times.zone import midnight, to_local

GRAMMAR: Final = Grammar()
rule: Final = GRAMMAR.rule

Value = Span | Cycle


@dataclass(frozen=True, slots=True)
class Now:
    """The moment that an expression is relative to (aware, UTC)."""

    moment: datetime
    day_first: bool = False
    """Whether 05/03/2023 is 5 March; it may be either date otherwise."""

    @property
    def today(self) -> date:
        """The user's day."""
        return to_local(self.moment).date()

    def tonight(self) -> datetime:
        """Return the end of the user's day."""
        return midnight(self.today + timedelta(days=1))

    def settle(self, value: Value) -> Span:
        """Return the latest one that has begun; of a weekday, the latest before today."""
        if isinstance(value, Span):
            return value
        if value.unit == "day" and value.of_year is None:
            return value.over(midnight(self.today))
        return value.latest(self.moment)

    def this(self, unit: str) -> Span:
        """Return the period that now is in."""
        return period(unit, self.today)


@rule("det", "in? on? the? of?")
def _det(_: Now) -> None:
    """Read the small words before a time, which say nothing of it."""
