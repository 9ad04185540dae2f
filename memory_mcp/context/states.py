"""The states of a request for context, and which may follow which."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
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


_ENDED_EARLY: Final = frozenset({State.FAILED, State.CANCELLED})

NEXT: Final[Mapping[State, frozenset[State]]] = {
    State.RECEIVED: _ENDED_EARLY | {State.PLANNED},
    State.PLANNED: _ENDED_EARLY | {State.GATHERING},
    State.GATHERING: _ENDED_EARLY | {State.PACKED},
    State.PACKED: _ENDED_EARLY | {State.ANSWERED, State.LATE},
    State.ANSWERED: frozenset(),
    State.LATE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""What may follow each state."""
ENDS: Final = frozenset(state for state, following in NEXT.items() if not following)


Watch = Callable[[str, State, float], None]
"""Gets a request's id, the state that it entered, and the milliseconds since it was received."""


class Requests:
    """How many requests stand in each state, and how many have ended in each."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch
        self.active = Counter[str]()
        self.ended = Counter[str]()
        self.sources = Counter[tuple[str, str]]()
        """By source and what became of asking it."""

    def begin(self, request_id: str, clock: Callable[[], float] = time.monotonic) -> Progress:
        """Return a request that was just received."""
        return Progress(self, request_id, clock)


class Progress:
    """One request on its way."""

    def __init__(self, requests: Requests, request_id: str, clock: Callable[[], float]) -> None:
        self._requests = requests
        self._request_id = request_id
        self._clock = clock
        self._begun = clock()
        self.state = State.RECEIVED
        requests.active[State.RECEIVED] += 1
        self._tell()

    def to(self, state: State) -> None:
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
        if self._requests.watch is not None:
            self._requests.watch(self._request_id, self.state, round(1000 * (self._clock() - self._begun), 1))
