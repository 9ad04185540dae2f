"""How many texts may be in the daemon at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from embedder_daemon.errors import OverloadedError

_MIN_RETRY_MS: Final = 50
_MAX_RETRY_MS: Final = 30_000


class Admission:
    """Counts the texts between their arrival and their answer, so that a queue never grows without bound."""

    def __init__(self, max_texts: int, seconds: Callable[[int], float]) -> None:
        """`seconds` predicts when as many texts as are here will have been computed."""
        self._max_texts = max_texts
        self._seconds = seconds
        self.texts = 0

    @contextmanager
    def hold(self, texts: int) -> Iterator[None]:
        """Hold room for a call's texts.

        Raises:
            OverloadedError: they do not fit beside those that are here.
        """
        if self.texts + texts > self._max_texts:
            raise OverloadedError(
                f"{self.texts} texts wait and at most {self._max_texts} may: try again later", self._retry_after_ms()
            )
        self.texts += texts
        try:
            yield
        finally:
            self.texts -= texts

    def _retry_after_ms(self) -> int:
        """Return when the texts that are here will have been computed."""
        return int(min(max(1000 * self._seconds(self.texts), _MIN_RETRY_MS), _MAX_RETRY_MS))
