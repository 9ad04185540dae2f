"""Deterministic vectors from words, in plain Python: only for tests that choose it, never a fallback."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from embedder_api.v1.wire import pack

from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts, EngineOptions
from embedder_daemon.model.space import EmbeddingSpace, ModelFiles

DIMENSIONS: Final = 384
MAX_TOKENS: Final = 256
_WORD: Final = re.compile(r"\w+")
_STEPS: Final = 16  # signed dimensions per word
_ID_BYTES: Final = 2 * _STEPS


def hash_vector(text: str, dimensions: int = DIMENSIONS) -> bytes:
    """Return the vector of a whole text: float32 little-endian, of length 1; texts with common words are near."""
    return _vector((token for token, _ in _tokens(text)), dimensions)


def create(options: EngineOptions, files: ModelFiles | None) -> HashEngine:  # noqa: ARG001 - the factory's signature
    """Return the engine; it needs no model and has no options."""
    return HashEngine()


class HashEngine:
    """An engine whose tokens are words, with digests of words as ids."""

    facts: Final = EngineFacts(
        name="hash",
        space=EmbeddingSpace(
            model=f"hash-{DIMENSIONS}",
            weights_sha256="",
            tokenizer_sha256="",
            pooling="sum",
            normalised=True,
            query_prompt="",
            document_prompt="",
            max_tokens=MAX_TOKENS,
            dimensions=DIMENSIONS,
        ),
        max_tokens=MAX_TOKENS,
        device="cpu",
        precision="float32",
        batch_tolerance=0.0,
        batch_tokens=4096,
    )

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:  # noqa: ARG002 - no prompts here
        """Split each text into words."""
        return [_encode(text) for text in texts]

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return the rows of a batch."""
        return [_vector(encoded.ids, DIMENSIONS) for encoded in batch]

    def close(self) -> None:
        """Do nothing: there are no weights."""


def _encode(text: str) -> Encoded:
    tokens = _tokens(text)
    kept = tokens[:MAX_TOKENS]
    truncated = len(kept) < len(tokens)
    return Encoded(
        ids=tuple(token for token, _ in kept),
        token_count=len(tokens),
        truncated=truncated,
        consumed_chars=kept[-1][1] if truncated else len(text),
    )


def _tokens(text: str) -> list[tuple[int, int]]:
    """Return each word's id and the position after it; a text without a word is one token."""
    words = [(_token_id(word.group().lower()), word.end()) for word in _WORD.finditer(text)]
    return words or [(_token_id(text), len(text))]


@lru_cache(maxsize=65_536)
def _token_id(word: str) -> int:
    digest = hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=_ID_BYTES).digest()
    return int.from_bytes(digest, "big")


def _vector(tokens: Iterable[int], dimensions: int) -> bytes:
    """Sum the tokens' contributions: 2 bytes of an id encode one dimension and one sign."""
    values = [0.0] * dimensions
    for token in tokens:
        for position in range(0, 16 * _STEPS, 16):
            step = token >> position & 0xFFFF
            values[(step >> 1) % dimensions] += 1.0 if step & 1 else -1.0
    norm = math.sqrt(sum(value * value for value in values))
    if not norm:  # all contributions cancelled out
        values[0] = norm = 1.0
    return pack(value / norm for value in values)
