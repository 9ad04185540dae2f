"""Chooses the waiting rows of the next batch. Pure functions: no clock, no queue, no model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from embedder_daemon.scheduler.cost import Cost

BULK_SHARE: Final = 0.2
"""Bulk's least share of the forward thread's time while both lanes wait."""
BUSY_QUANTUM_S: Final = 0.020
CALM_QUANTUM_S: Final = 0.060
LATELY_S: Final = 2.0
"""Seconds after an interactive call during which batches stay short, because another one is likely."""
CPU_ROWS: Final = 32
GPU_ROWS: Final = 256
"""Maximum number of rows in a batch."""
_LEAST_BASES: Final = 5
_TOKENS: Final = 4096  # padded tokens of a batch while there is no engine


class QueueLane(StrEnum):
    """Who waits for the answer."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The limits of one forward pass."""

    rows: int = CPU_ROWS
    padded_tokens: int = _TOKENS
    """Maximum of longest row times rows; a single longer row goes alone."""
    seconds: float = math.inf
    """Target duration; see `most_s`."""
    cost: Cost = field(default_factory=Cost)

    @property
    def most_s(self) -> float:
        """Maximum predicted seconds of a batch, of which the base is at most a fifth; a longer row goes alone."""
        return max(self.seconds, _LEAST_BASES * self.cost.base_s)

    def fit(self, longest: int, rows: int) -> bool:
        """Whether a batch of this size is within the limits."""
        padded = longest * rows
        return rows <= self.rows and padded <= self.padded_tokens and self.cost.seconds(padded, rows) <= self.most_s

    def at_most_s(self, tokens: int, rows: int) -> float:
        """Return the predicted seconds of one batch of such a backlog."""
        filled = self.cost.seconds(min(tokens, self.padded_tokens), min(rows, self.rows))
        return min(filled, self.most_s)


def quantum_s(since_interactive_s: float) -> float:
    """Return the target seconds of a batch on a CPU, by the time since the last interactive call."""
    return BUSY_QUANTUM_S if since_interactive_s < LATELY_S else CALM_QUANTUM_S


_PADDING_SLACK: Final = 16  # tokens; below that, another forward pass costs more than the padding


class Sized(Protocol):
    """A waiting row."""

    @property
    def length(self) -> int:
        """Tokens."""


def pick_lane(*, interactive: bool, bulk_s: float, owed_s: float) -> QueueLane | None:
    """Return the lane of the next batch; None if nothing waits.

    Args:
        interactive: whether interactive rows wait.
        bulk_s: predicted seconds of bulk's next batch; 0 if no row waits.
        owed_s: seconds that bulk is owed: its share of what interactive got while bulk waited.
    """
    if bulk_s and (not interactive or owed_s >= bulk_s):
        return QueueLane.BULK
    return QueueLane.INTERACTIVE if interactive else None


def neighbourhood(rows: Sequence[Sized], anchor: int, limits: BatchLimits) -> slice:
    """Return the rows that join rows[anchor]: its neighbours in length, nearest first, while they fit.

    Args:
        rows: sorted by length.
        anchor: index of the row that goes in any case.
        limits: of the batch.
    """
    low, high = anchor, anchor + 1
    while True:
        down, up = _down(rows, low, high, limits), _up(rows, low, high, limits)
        if down is None and up is None:
            break
        if up is None or (down is not None and rows[anchor].length - down <= up - rows[anchor].length):
            low -= 1
        else:
            high += 1
    return slice(low, high)


def _down(rows: Sequence[Sized], low: int, high: int, limits: BatchLimits) -> int | None:
    """Return the length of the next shorter row if it fits, else None."""
    if low == 0 or not _fit(rows[low - 1].length, rows[high - 1].length, high - low + 1, limits):
        return None
    return rows[low - 1].length


def _up(rows: Sequence[Sized], low: int, high: int, limits: BatchLimits) -> int | None:
    """Return the length of the next longer row if it fits, else None."""
    if high == len(rows) or not _fit(rows[low].length, rows[high].length, high - low + 1, limits):
        return None
    return rows[high].length


def _fit(shortest: int, longest: int, rows: int, limits: BatchLimits) -> bool:
    """Whether these rows make one batch: within the budget, and none of them mostly padding."""
    return longest <= 2 * shortest + _PADDING_SLACK and limits.fit(longest, rows)
