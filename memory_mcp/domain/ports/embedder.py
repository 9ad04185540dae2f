"""The port of the embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.models import Embedding, Finding, Lane, Task


class Embedder(Protocol):
    """Turns texts into vectors and stores nothing; no call exceeds its budget in seconds."""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed up to 256 texts; longer ones than the model reads are truncated.

        Raises:
            SpaceMismatchError: the embedder serves another space than `expected_space`.
            EmbedderError: the embedder returned no vectors.
        """
        ...

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Return the health of the embedder and its breaker by part; "space" only if it serves another space."""
        ...

    async def served(self) -> DaemonStatus | None:
        """Return the embedder's identity and counters; None if it does not answer."""
        ...

    def breaker(self) -> BreakerStatus:
        """Return the state of the circuit breaker; always closed if there is none."""
        ...

    def retry_in_s(self) -> float | None:
        """Seconds until the embedder may be tried again; None if it may be called now."""
        ...

    async def probe(self) -> None:
        """Check once whether the embedder is back, after `retry_in_s`; never raises EmbedderError."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
