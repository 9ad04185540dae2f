"""Leaves out what a model thinks before it answers, where its server sends that as a part of the answer."""

from __future__ import annotations

from typing import Final

BEGIN: Final = "<think>"
END: Final = "</think>"


class Thinking:
    """The beginning of an answer; thoughts in the middle of one are text."""

    def __init__(self) -> None:
        self._held = ""
        self._is_over = False

    def spoken(self, text: str) -> str:
        """Return what belongs to the answer; what may be thoughts is held back."""
        if self._is_over:
            return text
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith(BEGIN):
            begun = begun.partition(END)[2].lstrip()
            self._is_over = bool(begun)
        else:
            self._is_over = not BEGIN.startswith(begun)
        return begun if self._is_over else ""

    def rest(self) -> str:
        """Return what was held back and is none, at the end of the answer."""
        return "" if self._is_over or BEGIN in self._held else self._held.lstrip()
