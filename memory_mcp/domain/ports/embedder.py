"""What turns texts into vectors and never stores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memory_mcp.domain.models import BreakerStatus, DaemonStatus, Embedding, Finding, Lane, Task


class Embedder(Protocol):
    """Turns texts into vectors; every call has a budget in seconds and never takes longer."""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed up to 256 texts, the longest cut to what the model reads.

        Raises:
            SpaceMismatchError: the embedder serves another space than `expected_space`.
            EmbedderError: no vectors could be had.
        """
        ...

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Say how the embedder and what guards it are, by part; "space" only where it serves another one."""
        ...

    async def served(self) -> DaemonStatus | None:
        """Say what the embedder is and has done; None when it does not answer."""
        ...

    def breaker(self) -> BreakerStatus:
        """Say how the circuit breaker in front of it is; one that is never open where there is none."""
        ...

    def retry_in_s(self) -> float | None:
        """Seconds until the embedder may be tried again; None while nothing keeps it from being called."""
        ...

    async def probe(self) -> None:
        """Try once whether the embedder is back, when `retry_in_s` has run out; never raises EmbedderError."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...
