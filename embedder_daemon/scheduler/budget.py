"""How many padded tokens fit into memory: less after each failure, slowly more after each success. Pure."""

from __future__ import annotations

from typing import Final

_LEAST: Final = 64
_GROWTH: Final = 1.02  # each batch that used most of the budget; it doubles within 35 of them


class Budget:
    """A bound that memory sets, apart from the one that throughput sets; infinite until a batch did not fit."""

    def __init__(self) -> None:
        self._tokens: float | None = None

    def within(self, padded_tokens: int) -> int:
        """Return what is left of a wanted budget."""
        return padded_tokens if self._tokens is None else min(padded_tokens, int(self._tokens))

    def failed(self, padded_tokens: int) -> None:
        """Halve it: a batch of so many padded tokens did not fit."""
        self._tokens = max(float(_LEAST), self.within(padded_tokens) / 2)

    def succeeded(self, padded_tokens: int, wanted: int) -> None:
        """Raise it, if a batch made use of it; forget it, once it bounds nothing that is wanted."""
        if self._tokens is None or 2 * padded_tokens < self._tokens:
            return
        self._tokens *= _GROWTH
        if self._tokens >= wanted:
            self._tokens = None
