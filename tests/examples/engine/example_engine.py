"""An engine that a package adds: a text's vector counts its letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from embedder_api.v1.wire import pack

from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts, EngineOptions
from embedder_daemon.model.space import EmbeddingSpace, ModelFiles

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MAX_TOKENS = 512


def make(options: EngineOptions, find_model: Callable[[], ModelFiles]) -> LetterEngine:
    """Return the engine; one that computes the user's model would call `find_model`."""
    del options, find_model
    return LetterEngine()


class LetterEngine:
    """Its tokens are characters; the last dimension keeps a text without a letter from having no length."""

    facts = EngineFacts(
        name="letters",
        space=EmbeddingSpace(
            model="letters",
            weights_sha256="",
            tokenizer_sha256="",
            pooling="count",
            normalised=True,
            query_prompt="",
            document_prompt="",
            max_tokens=MAX_TOKENS,
            dimensions=len(LETTERS) + 1,
        ),
        max_tokens=MAX_TOKENS,
        device="cpu",
        precision="float32",
        batch_tolerance=0.0,
        batch_tokens=4096,
    )

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Take the first characters."""
        del task
        return [
            Encoded(
                ids=tuple(map(ord, text[:MAX_TOKENS])),
                token_count=len(text),
                truncated=len(text) > MAX_TOKENS,
                consumed_chars=min(len(text), MAX_TOKENS),
            )
            for text in texts
        ]

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Count."""
        return [_vector("".join(map(chr, encoded.ids)).lower()) for encoded in batch]

    def close(self) -> None:
        """There is nothing to drop."""


def _vector(text: str) -> bytes:
    counts = [float(text.count(letter)) for letter in LETTERS] + [1.0]
    length = math.hypot(*counts)
    return pack(count / length for count in counts)
