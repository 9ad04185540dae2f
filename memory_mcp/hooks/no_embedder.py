"""An embedder that is not there, for a prompt that leaves no time to ask one."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Embedding, Finding, Lane, Task


class NoEmbedder:
    """See `domain.ports.Embedder`."""

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        del texts, task, lane, budget_s, expected_space
        raise EmbedderError("there was no time for it", faulty=False)

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        del expected_space
        return {}

    async def served(self) -> DaemonStatus | None:
        return None

    def breaker(self) -> BreakerStatus:
        return BreakerStatus()

    def retry_in_s(self) -> float | None:
        return None

    async def probe(self) -> None:
        return None

    async def close(self) -> None:
        return None
