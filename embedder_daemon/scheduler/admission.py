"""Limits the number and the size of texts in the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from embedder_api.v1.contract import MAX_MESSAGE_BYTES

from embedder_daemon.errors import OverloadedError

MAX_CHARACTERS: Final = MAX_MESSAGE_BYTES
"""Maximum of all texts together; one request has fewer."""
_MIN_RETRY_MS: Final = 50
_MAX_RETRY_MS: Final = 30_000


class Admission:
    """Counts texts and characters between arrival and answer, so that queues stay bounded."""

    def __init__(self, max_texts: int, seconds: Callable[[int], float]) -> None:
        """`seconds` predicts how long the admitted texts take."""
        self._max_texts = max_texts
        self._seconds = seconds
        self.texts = 0
        self._characters = 0

    def check(self, texts: int, characters: int) -> None:
        """Check whether texts would be admitted, without admitting them.

        Raises:
            OverloadedError: there is no room for them.
        """
        if self.texts + texts > self._max_texts:
            wait = f"{self.texts} texts are waiting, and the limit is {self._max_texts}"
        elif self._characters + characters > MAX_CHARACTERS:
            wait = f"{self._characters} characters are waiting, and the limit is {MAX_CHARACTERS}"
        else:
            return
        raise OverloadedError(f"{wait}; try again later", self._retry_after_ms())

    @contextmanager
    def hold(self, texts: int, characters: int) -> Iterator[None]:
        """Reserve room for a call's texts; raises as `check`."""
        self.check(texts, characters)
        self.texts += texts
        self._characters += characters
        try:
            yield
        finally:
            self.texts -= texts
            self._characters -= characters

    def _retry_after_ms(self) -> int:
        """Return the predicted time until the admitted texts are computed."""
        return int(min(max(1000 * self._seconds(self.texts), _MIN_RETRY_MS), _MAX_RETRY_MS))
