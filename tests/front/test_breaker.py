"""The circuit breaker as a state machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from memory_mcp.embedder.breaker import Breaker, BreakerPolicy, BreakerState, Permit
from tests.fakes.clock import FakeClock

POLICY = BreakerPolicy(window=10, min_calls=3, error_rate=0.5, slow_rate=0.5, open_s=5)


def make() -> tuple[Breaker, FakeClock]:
    """Make a breaker and its clock."""
    clock = FakeClock()
    return Breaker(POLICY, clock), clock


def acquire(breaker: Breaker) -> Permit:
    """Get a permit that must be there."""
    permit = breaker.acquire()
    assert permit is not None
    return permit


def state(breaker: Breaker) -> BreakerState:
    """Return the state, as a value that mypy does not narrow."""
    return breaker.state


def trip(breaker: Breaker) -> None:
    """Open a closed breaker."""
    for _ in range(POLICY.min_calls):
        breaker.fail(acquire(breaker), "down")


def test_errors_open_it() -> None:
    """Too large a share of failed calls opens it, and it says why."""
    breaker, _ = make()
    trip(breaker)
    assert state(breaker) is BreakerState.OPEN
    assert breaker.acquire() is None
    assert breaker.cause == "down"
    assert breaker.retry_in_s() == 5


def test_slow_calls_open_it_although_they_succeed() -> None:
    """Calls that succeed too late open it as well."""
    breaker, _ = make()
    for _ in range(3):
        breaker.succeed(acquire(breaker), slow=True)
    assert state(breaker) is BreakerState.OPEN
    assert "slow" in breaker.cause


def test_a_few_errors_among_successes_do_not_open_it() -> None:
    """Below the rate it stays closed."""
    breaker, _ = make()
    for _ in range(20):
        breaker.succeed(acquire(breaker))
        breaker.succeed(acquire(breaker))
        breaker.fail(acquire(breaker), "once")
    assert state(breaker) is BreakerState.CLOSED


def test_old_errors_leave_the_window() -> None:
    """Only the latest calls count."""
    breaker, _ = make()
    breaker.fail(acquire(breaker), "x")
    breaker.fail(acquire(breaker), "x")
    for _ in range(POLICY.window):
        breaker.succeed(acquire(breaker))
    breaker.fail(acquire(breaker), "x")
    assert state(breaker) is BreakerState.CLOSED


def test_half_open_lets_one_probe_through() -> None:
    """After its time it admits one call and no second."""
    breaker, clock = make()
    trip(breaker)
    clock.advance(4.9)
    assert breaker.acquire() is None
    clock.advance(0.1)
    assert state(breaker) is BreakerState.HALF_OPEN
    probe = acquire(breaker)
    assert breaker.acquire() is None
    breaker.succeed(probe)
    assert state(breaker) is BreakerState.CLOSED
    assert breaker.cause == ""


def test_a_failed_or_slow_probe_opens_it_again() -> None:
    """One bad probe is enough, and the wait begins anew."""
    breaker, clock = make()
    trip(breaker)
    clock.advance(5)
    breaker.fail(acquire(breaker), "still down")
    assert state(breaker) is BreakerState.OPEN
    assert breaker.cause == "still down"
    clock.advance(5)
    breaker.succeed(acquire(breaker), slow=True)
    assert state(breaker) is BreakerState.OPEN


def test_an_abandoned_probe_makes_room_for_another() -> None:
    """A cancelled probe says nothing and blocks nothing."""
    breaker, clock = make()
    trip(breaker)
    clock.advance(5)
    breaker.abandon(acquire(breaker))
    assert breaker.acquire() is not None


def test_late_answers_of_an_earlier_era_are_ignored() -> None:
    """A call from before the trip neither closes an open breaker nor keeps it open."""
    breaker, clock = make()
    early = acquire(breaker)
    trip(breaker)
    breaker.succeed(early)
    assert state(breaker) is BreakerState.OPEN
    clock.advance(5)
    breaker.fail(early, "late")
    breaker.succeed(acquire(breaker))
    assert state(breaker) is BreakerState.CLOSED


@given(st.lists(st.booleans(), max_size=60))
def test_it_opens_exactly_when_a_window_is_bad(outcomes: list[bool]) -> None:
    """For every history of successes and failures it opens at the first window whose rate is reached."""
    breaker, _ = make()
    seen: list[bool] = []
    for failed in outcomes:
        permit = breaker.acquire()
        assert permit is not None
        if failed:
            breaker.fail(permit, "x")
        else:
            breaker.succeed(permit)
        seen = [*seen, failed][-POLICY.window :]
        bad = failed and len(seen) >= POLICY.min_calls and sum(seen) / len(seen) >= POLICY.error_rate
        assert (breaker.state is BreakerState.OPEN) == bad
        if bad:
            break


class BreakerMachine(RuleBasedStateMachine):
    """Random calls and times never break what the breaker promises."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.clock = make()
        self.permits: list[Permit] = []

    @rule()
    def ask(self) -> None:
        """Ask for a call."""
        before = self.breaker.state
        permit = self.breaker.acquire()
        if before is BreakerState.OPEN:
            assert permit is None
        if before is BreakerState.CLOSED:
            assert permit is not None
        if permit is not None:
            self.permits.append(permit)

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), how=st.sampled_from(["good", "slow", "bad", "gone"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        """End a call, in any order."""
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        if how == "bad":
            self.breaker.fail(permit, "bad")
        elif how == "gone":
            self.breaker.abandon(permit)
        else:
            self.breaker.succeed(permit, slow=how == "slow")

    @rule(seconds=st.floats(0, 6))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @invariant()
    def says_why(self) -> None:
        """Check that it has a cause and a next attempt exactly while it is not closed."""
        closed = self.breaker.state is BreakerState.CLOSED
        assert (self.breaker.cause == "") == closed
        assert (self.breaker.retry_in_s() is None) == closed


TestBreakerMachine = BreakerMachine.TestCase
