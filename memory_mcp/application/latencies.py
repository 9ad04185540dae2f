"""How long the latest calls of tools took, in this process's memory: for the page's charts."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memory_mcp.application.request import Request

KEPT: Final = 10_000
"""Calls: an hour of three a second."""
SLICES: Final = 60
SLICE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Took:
    """One call."""

    at: float
    """Unix time of its end."""
    tool: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The calls of one minute."""

    at: float
    """Its beginning, in Unix time."""
    calls: int
    median_s: float | None
    """None if there was no call; so is the next."""
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class OfTool:
    """The kept calls of one tool."""

    tool: str
    calls: int
    median_s: float
    p95_s: float


class Latencies:
    """Hears of each finished request; see `observe.Observer`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._taken: deque[Took] = deque(maxlen=KEPT)

    def __call__(self, request: Request[Any], outcome: str, seconds: float) -> None:
        del outcome
        if request.tool is not None:
            self._taken.append(Took(self._clock(), request.tool.name, seconds))

    def slices(self) -> list[Slice]:
        """Return the last hour, minute by minute, oldest first."""
        newest = self._clock() // SLICE_S
        found: defaultdict[float, list[float]] = defaultdict(list)
        for took in self._recent():
            found[took.at // SLICE_S].append(took.seconds)
        return [_slice(number * SLICE_S, found.get(number, [])) for number in _last(newest)]

    def by_tool(self) -> list[OfTool]:
        """Return the tools of the last hour by name."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for took in self._recent():
            found[took.tool].append(took.seconds)
        return [
            OfTool(tool, len(seconds), quantile(seconds, 0.5), quantile(seconds, 0.95))
            for tool, seconds in sorted(found.items())
        ]

    def _recent(self) -> list[Took]:
        since = (self._clock() // SLICE_S - SLICES + 1) * SLICE_S
        return [took for took in self._taken if took.at >= since]


def _last(newest: float) -> Sequence[float]:
    return [newest - back for back in range(SLICES - 1, -1, -1)]


def _slice(at: float, seconds: Sequence[float]) -> Slice:
    if not seconds:
        return Slice(at, 0, None, None)
    return Slice(at, len(seconds), quantile(seconds, 0.5), quantile(seconds, 0.95))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by at least this share of all."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
