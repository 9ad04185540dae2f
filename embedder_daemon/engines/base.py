"""The port that every engine implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from embedder_daemon.model.space import EmbeddingSpace
from embedder_daemon.system import processors

SHORT: Final = 500
"""Characters of a call up to which tokenising on the event loop is faster than a switch to a thread and back."""


class EmbedTask(StrEnum):
    """The kind of a text; a model may have a different prompt for each."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised text."""

    ids: tuple[int, ...]
    """Token ids with special tokens, truncated to the model's maximum; only the engine interprets them."""
    token_count: int
    """Tokens of the whole text, special tokens included."""
    truncated: bool
    consumed_chars: int
    """Unicode code points of the text that `ids` cover."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine computes."""

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    """CPU threads; 0 is one per processor that this process may use."""
    choice: str = ""
    """Why it is this engine and this precision, where that was not set."""

    @property
    def cpu_threads(self) -> int:
        """The resolved number of CPU threads."""
        return self.threads or processors.usable()


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Properties of an engine; they outlive it, so that an unloaded engine can still be described."""

    name: str
    space: EmbeddingSpace
    max_tokens: int
    device: str
    precision: str
    batch_tolerance: float
    """Largest change of a vector's element due to other texts in its batch."""
    batch_tokens: int
    """Padded tokens per forward pass beyond which throughput does not grow."""
    versions: Mapping[str, str] = field(default_factory=dict)
    choice: str = ""
    """Why it is this engine and this precision, where that was not set."""


class Engine(Protocol):
    """Turns texts into vectors."""

    @property
    def facts(self) -> EngineFacts:
        """What is served."""

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; called from several threads at once, and must release the GIL.

        Up to SHORT characters it runs on the event loop; no call may wait for another thread's.
        """

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return one normalised row of float32 little-endian for each text; called from one thread only.

        Raises:
            MemoryError: the batch does not fit into the device's memory; the caller then tries smaller ones.
        """

    def close(self) -> None:
        """Unload the weights; nothing else is called afterwards."""
