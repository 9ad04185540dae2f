"""Learns how many padded tokens fit into memory: halved by each failure, raised slowly by successes. Pure."""

from __future__ import annotations

from typing import Final

_LEAST: Final = 64
_GROWTH: Final = 1.02  # growth per batch that used most of the budget; it doubles within 35 of them


class Budget:
    """The limit set by memory, separate from that of throughput; infinite until a batch does not fit."""

    def __init__(self) -> None:
        self._tokens: float | None = None

    def within(self, padded_tokens: int) -> int:
        """Return a desired budget, reduced to what fits into memory."""
        return padded_tokens if self._tokens is None else min(padded_tokens, int(self._tokens))

    def failed(self, padded_tokens: int) -> None:
        """Halve the limit: a batch of this many padded tokens did not fit."""
        self._tokens = max(float(_LEAST), self.within(padded_tokens) / 2)

    def succeeded(self, padded_tokens: int, wanted: int) -> None:
        """Raise the limit if a batch used most of it; drop it once it exceeds the desired budget."""
        if self._tokens is None or 2 * padded_tokens < self._tokens:
            return
        self._tokens *= _GROWTH
        if self._tokens >= wanted:
            self._tokens = None
