"""An embedder behind a circuit breaker: every call is judged, and callers get through only while the breaker is closed.

Callers never wait to find out whether the embedder is back. When the breaker lets a probe through, the chores make it
with a text of their own (`probe`); until it succeeds, callers are refused at once.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Condition, Embedding, Finding, Lane, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.embedder.breaker import Breaker, BreakerState, Permit
from memory_mcp.logger import Logger

log = Logger(__name__)


class GuardedEmbedder:
    """See `domain.ports.Embedder`."""

    def __init__(
        self,
        embedder: Embedder,
        breaker: Breaker,
        *,
        slow_share: float,
        probe_budget_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._breaker = breaker
        self._slow_share = slow_share
        self._probe_budget_s = probe_budget_s
        self._clock = clock
        self._fix = ""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed, or refuse at once while the breaker is not closed.

        Raises:
            SpaceMismatchError: the embedder serves another space.
            EmbedderError: there are no vectors; the message is the breaker's cause if the breaker refused.
        """
        permit = self._breaker.acquire() if self._breaker.state is BreakerState.CLOSED else None
        if permit is None:
            raise EmbedderError(self._breaker.cause, fix=self._fix, faulty=False)
        return await self._judged(permit, texts, task, lane, budget_s, expected_space)

    async def probe(self) -> None:
        """Make the one call that a half-open breaker lets through."""
        if self._breaker.state is not BreakerState.HALF_OPEN or (permit := self._breaker.acquire()) is None:
            return
        text = f"probe {uuid.uuid4().hex}"  # different each time, so that no cache can answer for a hung model
        try:
            await self._judged(permit, [text], Task.QUERY, Lane.INTERACTIVE, self._probe_budget_s, None)
        except EmbedderError:
            return  # the breaker has recorded the cause

    async def _judged(
        self,
        permit: Permit,
        texts: Sequence[str],
        task: Task,
        lane: Lane,
        budget_s: float,
        expected_space: str | None,
    ) -> Embedding:
        begun = self._clock()
        try:
            embedding = await self._embedder.embed(
                texts, task=task, lane=lane, budget_s=budget_s, expected_space=expected_space
            )
        except EmbedderError as error:
            if error.faulty:
                self._fail(permit, error, slow=self._is_slow(begun, budget_s))
            else:  # a prompt refusal is the answer of a healthy daemon
                self._breaker.succeed(permit)
            raise
        except BaseException:  # cancelled
            self._breaker.abandon(permit)
            raise
        self._succeed(permit, slow=self._is_slow(begun, budget_s))
        return embedding

    def _fail(self, permit: Permit, error: EmbedderError, *, slow: bool) -> None:
        self._fix = error.fix
        state = self._breaker.state
        self._breaker.fail(permit, str(error), slow=slow)
        self._tell(state)

    def _succeed(self, permit: Permit, *, slow: bool) -> None:
        state = self._breaker.state
        self._breaker.succeed(permit, slow=slow)
        self._tell(state)

    def _tell(self, before: BreakerState) -> None:
        """Log that the breaker opened or closed, but not that a probe failed."""
        if before is BreakerState.CLOSED and self._breaker.state is not before:
            log.warning("the breaker opened: the embedder is unavailable", cause=self._breaker.cause, fix=self._fix)
        elif before is not BreakerState.CLOSED and self._breaker.state is BreakerState.CLOSED:
            log.info("the breaker closed: the embedder is available again")

    def _is_slow(self, begun: float, budget_s: float) -> bool:
        return self._clock() - begun > self._slow_share * budget_s

    def retry_in_s(self) -> float | None:
        """Return the seconds until a probe may be made; None while calls get through."""
        return self._breaker.retry_in_s()

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Return the findings on the embedder and the breaker."""
        retry_in_s = self._breaker.retry_in_s()
        if retry_in_s is None:
            breaker = Finding(Condition.OK, BreakerState.CLOSED)
        else:
            breaker = Finding(
                Condition.DEGRADED,
                self._breaker.state,
                self._breaker.cause,
                self._fix,
                detail=f"next attempt in {retry_in_s:.1f} s, tripped {self._breaker.trips} times",
            )
        return {**await self._embedder.findings(expected_space), "breaker": breaker}

    async def served(self) -> DaemonStatus | None:
        """Return the embedder's status; the breaker does not judge this call."""
        return await self._embedder.served()

    def breaker(self) -> BreakerStatus:
        """Return the state of the breaker."""
        return BreakerStatus(self._breaker.state, self._breaker.trips)

    async def close(self) -> None:
        """Close the embedder behind the breaker."""
        await self._embedder.close()
