"""The states of a request for context, and which may follow which."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final


class ContextState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    PLANNED = "planned"
    """It is known what is asked, and until when."""
    GATHERING = "gathering"
    PACKED = "packed"
    ANSWERED = "answered"
    LATE = "late"
    """Answered without what had not come by the deadline."""
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDED_EARLY: Final = frozenset({ContextState.FAILED, ContextState.CANCELLED})

NEXT: Final[Mapping[ContextState, frozenset[ContextState]]] = {
    ContextState.RECEIVED: _ENDED_EARLY | {ContextState.PLANNED},
    ContextState.PLANNED: _ENDED_EARLY | {ContextState.GATHERING},
    ContextState.GATHERING: _ENDED_EARLY | {ContextState.PACKED},
    ContextState.PACKED: _ENDED_EARLY | {ContextState.ANSWERED, ContextState.LATE},
    ContextState.ANSWERED: frozenset(),
    ContextState.LATE: frozenset(),
    ContextState.FAILED: frozenset(),
    ContextState.CANCELLED: frozenset(),
}
"""What may follow each state."""
ENDS: Final = frozenset(state for state, following in NEXT.items() if not following)


WatchStates = Callable[[str, ContextState, float], None]
"""Gets a request's id, the state that it entered, and the milliseconds since it was received."""


class Requests:
    """How many requests stand in each state, and how many have ended in each."""

    def __init__(self, watch: WatchStates | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.watch = watch
        self.clock = clock
        self.active = Counter[str]()
        self.ended = Counter[str]()
        self.reached = Counter[str]()
        """How many have entered each state, however short they stayed."""

    def begin(self, request_id: str) -> Progress:
        """Return a request that was just received."""
        return Progress(self, request_id)


class Progress:
    """One request on its way."""

    def __init__(self, requests: Requests, request_id: str) -> None:
        self._requests = requests
        self._request_id = request_id
        self._begun = requests.clock()
        self.state = ContextState.RECEIVED
        requests.active[ContextState.RECEIVED] += 1
        self._tell()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request was received."""
        return self._requests.clock() - self._begun

    def is_over(self, seconds: float) -> bool:
        """Whether it has ended, or lasts longer than so many seconds."""
        return self.state in ENDS or self.elapsed_s > seconds

    def to(self, state: ContextState) -> None:
        """Enter a state.

        Raises:
            ValueError: it may not follow the present one.
        """
        if state not in NEXT[self.state]:
            raise ValueError(f"{state} may not follow {self.state}")
        self._requests.active[self.state] -= 1
        counts = self._requests.ended if state in ENDS else self._requests.active
        counts[state] += 1
        self.state = state
        self._tell()

    def _tell(self) -> None:
        self._requests.reached[self.state] += 1
        if self._requests.watch is not None:
            self._requests.watch(self._request_id, self.state, round(1000 * self.elapsed_s, 1))
