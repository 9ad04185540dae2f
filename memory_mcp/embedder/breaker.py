"""A circuit breaker as a pure state machine: no I/O, no threads, an injected clock.

Closed, it lets every call through and judges the latest ones; too many failed or slow calls open it. Open, it lets
nothing through for a while. Then, half-open, it lets one probe through: success closes it, anything else opens it
again. (The pattern is M. Nygard's, "Release It!"; rates over a sliding window of calls as in resilience4j.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether calls get through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When the breaker opens, and for how long."""

    window: int = 10
    """Latest calls that are judged."""
    min_calls: int = 3
    """Least number of calls in the window for it to open."""
    error_rate: float = 0.5
    """Share of failed calls that opens it, 0-1."""
    slow_rate: float = 0.5
    """Share of slow calls that opens it, 0-1."""
    open_s: float = 5.0
    """Seconds until a probe is let through."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call; return it with `succeed`, `fail` or `abandon`."""

    era: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    failed: bool
    slow: bool
    cause: str


class Breaker:
    """Decides about each call; times are in seconds of `clock`."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._outcomes: deque[_Outcome] = deque(maxlen=policy.window)
        self._opened_at: float | None = None
        self._probing = False
        self._era = 0
        self.cause = ""
        """Why it is not closed; empty while it is."""
        self.trips = 0
        """How often it opened."""

    @property
    def state(self) -> BreakerState:
        """What it is now."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.retry_in_s() else BreakerState.HALF_OPEN

    def retry_in_s(self) -> float | None:
        """Return the seconds until a probe is let through, 0.0 if one may go now; None while closed."""
        if self._opened_at is None:
            return None
        return max(0.0, self._opened_at + self._policy.open_s - self._clock())

    def acquire(self) -> Permit | None:
        """Request a call; None means that it must not be made."""
        state = self.state
        if state is BreakerState.OPEN or (state is BreakerState.HALF_OPEN and self._probing):
            return None
        self._probing = state is BreakerState.HALF_OPEN
        return Permit(self._era)

    def succeed(self, permit: Permit, *, slow: bool = False) -> None:
        """Return a permit: the call succeeded, perhaps too slowly."""
        self._record(permit, _Outcome(failed=False, slow=slow, cause="calls are too slow" if slow else ""))

    def fail(self, permit: Permit, cause: str, *, slow: bool = False) -> None:
        """Return a permit: the call failed through a fault of the other side."""
        self._record(permit, _Outcome(failed=True, slow=slow, cause=cause))

    def abandon(self, permit: Permit) -> None:
        """Return a permit: the call was cancelled and says nothing about the other side."""
        if permit.era == self._era:
            self._probing = False

    def _record(self, permit: Permit, outcome: _Outcome) -> None:
        if permit.era != self._era:
            return  # the call began before the breaker last changed, so it says nothing about the present
        if self._opened_at is not None:
            self._judge_probe(outcome)
            return
        self._outcomes.append(outcome)
        if outcome.cause and self._is_bad():
            self._open(outcome.cause)

    def _judge_probe(self, outcome: _Outcome) -> None:
        if outcome.failed or outcome.slow:
            self._open(outcome.cause)
        else:
            self._change_era(opened_at=None, cause="")

    def _is_bad(self) -> bool:
        calls = len(self._outcomes)
        if calls < self._policy.min_calls:
            return False
        failed = sum(outcome.failed for outcome in self._outcomes)
        slow = sum(outcome.slow for outcome in self._outcomes)
        return failed / calls >= self._policy.error_rate or slow / calls >= self._policy.slow_rate

    def _open(self, cause: str) -> None:
        self.trips += 1
        self._change_era(opened_at=self._clock(), cause=cause)

    def _change_era(self, opened_at: float | None, cause: str) -> None:
        self._era += 1
        self._probing = False
        self._outcomes.clear()
        self._opened_at = opened_at
        self.cause = cause
