"""A fake of the embedder port, without a wire: for the services' tests."""

from __future__ import annotations

from collections.abc import Sequence

from embedder_daemon.engines.hash_engine import hash_vector
from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Condition, EmbeddedText, Embedding, Finding, Lane, Space, Task

MAX_CHARS = 2_000


class FakeEmbedder:
    """Vectors are deterministic, and texts that share words are near each other."""

    def __init__(self, space: Space | None = None) -> None:
        self.space = space or Space("fake-384", 384)
        self.failure: EmbedderError | None = None
        self.rejected: set[str] = set()
        self.calls: list[tuple[tuple[str, ...], Task, Lane, float]] = []

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed, or fail as told."""
        self.calls.append((tuple(texts), task, lane, budget_s))
        if self.failure is not None:
            raise self.failure
        if expected_space not in {None, self.space.id}:
            raise SpaceMismatchError(f"this embedder serves {self.space.id}", faulty=False)
        return Embedding(self.space, tuple(self._item(text) for text in texts))

    def _item(self, text: str) -> EmbeddedText:
        if text in self.rejected:
            return EmbeddedText(None, error="failed: as told")
        vector = hash_vector(text[:MAX_CHARS], self.space.dimensions)
        return EmbeddedText(vector, truncated=len(text) > MAX_CHARS, consumed_chars=min(len(text), MAX_CHARS))

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Say that all is well, unless told otherwise."""
        if self.failure is not None:
            return {"daemon": Finding(Condition.DEGRADED, "unreachable", str(self.failure), "as told")}
        return {"daemon": Finding(Condition.OK, "serving")}

    def retry_in_s(self) -> float | None:
        """Nothing keeps this embedder from being called."""
        return None

    async def probe(self) -> None:
        """Nothing to find out."""

    async def close(self) -> None:
        """Nothing to close."""
