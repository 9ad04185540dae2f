"""Which waiting rows go into the next batch. Pure functions: no clock, no queue, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

BULK_EVERY: Final = 5
"""While bulk waits, at least one batch in so many is its."""


class Lane(StrEnum):
    """Who waits for the answer."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one forward pass may hold."""

    rows: int = 32
    padded_tokens: int = 4096
    """Longest row times rows; a single longer row goes alone."""


_PADDING_SLACK: Final = 16  # tokens; below that, one more forward pass costs more than the padding


class Sized(Protocol):
    """A row that waits."""

    @property
    def length(self) -> int:
        """Tokens."""


def pick_lane(*, interactive: bool, bulk: bool, passed_over: int) -> Lane | None:
    """Return the lane of the next batch, or None when nothing waits.

    Args:
        interactive: rows wait there.
        bulk: rows wait there.
        passed_over: batches that went to the interactive lane while bulk waited, since bulk's last one.
    """
    if bulk and (not interactive or passed_over >= BULK_EVERY - 1):
        return Lane.BULK
    return Lane.INTERACTIVE if interactive else None


def neighbourhood(rows: Sequence[Sized], anchor: int, limits: BatchLimits) -> slice:
    """Return the rows that join rows[anchor]: its neighbours in length, nearest first, while they fit.

    Args:
        rows: sorted by length.
        anchor: index of the row that goes in any case.
        limits: what the batch may hold.
    """
    low, high = anchor, anchor + 1
    while high - low < limits.rows:
        down, up = _down(rows, low, high, limits), _up(rows, low, high, limits)
        if down is None and up is None:
            break
        if up is None or (down is not None and rows[anchor].length - down <= up - rows[anchor].length):
            low -= 1
        else:
            high += 1
    return slice(low, high)


def _down(rows: Sequence[Sized], low: int, high: int, limits: BatchLimits) -> int | None:
    """Return the length of the next shorter row, if there is one and it fits."""
    if low == 0 or not _fit(rows[low - 1].length, rows[high - 1].length, high - low + 1, limits):
        return None
    return rows[low - 1].length


def _up(rows: Sequence[Sized], low: int, high: int, limits: BatchLimits) -> int | None:
    """Return the length of the next longer row, if there is one and it fits."""
    if high == len(rows) or not _fit(rows[low].length, rows[high].length, high - low + 1, limits):
        return None
    return rows[high].length


def _fit(shortest: int, longest: int, rows: int, limits: BatchLimits) -> bool:
    """Say whether so many rows make one batch: within the budget, and none of them mostly padding."""
    return longest * rows <= limits.padded_tokens and longest <= 2 * shortest + _PADDING_SLACK
