"""The port that every engine fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from embedder_daemon.model.space import EmbeddingSpace
from embedder_daemon.system import processors

SHORT: Final = 500
"""Characters of a call that is tokenised on the event loop: that takes less time than the way to a thread and back."""


class EmbedTask(StrEnum):
    """What a text is; a model may put another prompt before each kind."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised text."""

    ids: tuple[int, ...]
    """Tokens with the special ones, cut at the model's maximum; only the engine knows what they mean."""
    token_count: int
    """Tokens of the whole text, special tokens included."""
    truncated: bool
    consumed_chars: int
    """Unicode code points of the text that `ids` cover."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine is to compute."""

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    """0 is one for each processor that this process may use."""
    choice: str = ""
    """Why it is this engine and this precision, where that was not set."""

    @property
    def cpu_threads(self) -> int:
        """How many there are to be on the CPU."""
        return self.threads or processors.usable()


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine serves; outlives the engine, so that an unloaded one can still be described."""

    name: str
    space: EmbeddingSpace
    max_tokens: int
    device: str
    precision: str
    batch_tolerance: float
    """Largest change of a vector's element that batch-mates cause."""
    batch_tokens: int
    """Padded tokens of one forward pass beyond which more of them gain no throughput."""
    versions: Mapping[str, str] = field(default_factory=dict)
    choice: str = ""
    """Why it is this engine and this precision, where that was not set."""


class Engine(Protocol):
    """Turns texts into vectors."""

    @property
    def facts(self) -> EngineFacts:
        """What is served."""

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; called from several threads at once, and lets other threads run meanwhile.

        Up to SHORT characters it runs on the event loop; no call may wait for another thread's.
        """

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return one normalised row of float32 little-endian for each text; called from one thread only.

        Raises:
            MemoryError: the batch does not fit, on whatever device; smaller ones are tried then.
        """

    def close(self) -> None:
        """Drop the weights; nothing else is called afterwards."""
