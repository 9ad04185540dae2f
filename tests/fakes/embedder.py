"""A fake of the embedder port, without a wire: for the services' tests."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from embedder_api.v1 import wire

from embedder_daemon.engines.hash_engine import hash_vector
from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Condition, EmbeddedText, Embedding, Finding, Lane, Space, Task

MAX_CHARS = 2_000
"""Characters that the fake reads of a text."""


class FakeEmbedder:
    """Vectors are deterministic, and texts that share words are near each other."""

    def __init__(self, space: Space | None = None) -> None:
        self.space = space or Space("fake-384", 384)
        self.failure: EmbedderError | None = None
        self.rejected: set[str] = set()
        self.quarantined: set[str] = set()
        """Refused for the time being."""
        self.alike = 0.0
        """The cosine that unrelated texts have, 0-1: high for a model with a narrow range."""
        self.means: dict[str, str] = {}
        """Texts in one language by what they mean in another, as a multilingual model has it."""
        self.made_by = ""
        self.max_chars = MAX_CHARS
        self.before_call: Callable[[], None] = lambda: None
        """Happens at each call, for instance time that passes."""
        self.calls: list[tuple[tuple[str, ...], Task, Lane, float]] = []

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed, or fail as told."""
        self.before_call()
        self.calls.append((tuple(texts), task, lane, budget_s))
        if self.failure is not None:
            raise self.failure
        if expected_space not in {None, self.space.id}:
            raise SpaceMismatchError(f"this embedder serves {self.space.id}", faulty=False)
        return Embedding(self.space, tuple(self._item(text) for text in texts))

    def _item(self, text: str) -> EmbeddedText:
        if text in self.rejected:
            return EmbeddedText(None, error=f"failed: as told [{self.made_by}]" if self.made_by else "failed: as told")
        if text in self.quarantined:
            return EmbeddedText(None, error="quarantined: as told", temporary=True)
        vector = self._narrowed(hash_vector(self.means.get(text, text)[: self.max_chars], self.space.dimensions))
        return EmbeddedText(vector, truncated=len(text) > self.max_chars, consumed_chars=min(len(text), self.max_chars))

    def _narrowed(self, vector: bytes) -> bytes:
        """Join a vector with one that all texts have."""
        if not self.alike:
            return vector
        own, common = wire.unpack(vector), 1 / math.sqrt(self.space.dimensions)
        joined = [math.sqrt(1 - self.alike) * value + math.sqrt(self.alike) * common for value in own]
        length = math.hypot(*joined)
        return wire.pack([value / length for value in joined])

    async def findings(self, expected_space: str | None) -> dict[str, Finding]:
        """Say that all is well, unless told otherwise."""
        if self.failure is not None:
            daemon = Finding(Condition.DEGRADED, "unreachable", str(self.failure), "as told")
        else:
            daemon = Finding(Condition.OK, "serving")
        return {"daemon": daemon, "breaker": Finding(Condition.OK, "closed")}

    async def served(self) -> DaemonStatus | None:
        """Say what it is, unless it fails."""
        if self.failure is not None:
            return None
        return DaemonStatus(
            state="serving",
            model="fake",
            engine="fake",
            device="cpu",
            precision="float32",
            space_id=self.space.id,
            version="0",
            uptime_s=1.0,
            counters={"rows": len(self.calls)},
            made_by=self.made_by,
        )

    def breaker(self) -> BreakerStatus:
        """Nothing guards it."""
        return BreakerStatus()

    def retry_in_s(self) -> float | None:
        """Nothing keeps this embedder from being called."""
        return None

    async def probe(self) -> None:
        """Nothing to find out."""

    async def close(self) -> None:
        """Nothing to close."""


async def vectors_of(embedder: FakeEmbedder, texts: Sequence[str]) -> list[list[float]]:
    """Return the vectors of documents."""
    made = await embedder.embed(texts, task=Task.DOCUMENT, lane=Lane.BULK, budget_s=1, expected_space=None)
    return [list(struct.unpack(f"<{embedder.space.dimensions}f", item.vector or b"")) for item in made.items]
