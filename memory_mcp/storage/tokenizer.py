"""FTS5's porter tokenizer, which the analyzer uses for every store: equal terms make equal results."""

from __future__ import annotations

import threading
from typing import Final, cast

import apsw

from memory_mcp.domain.keywords import Tokenize


def porter(db: apsw.Connection) -> Tokenize:
    """Return the tokenizer, for as long as the connection is open.

    Its input is normalized by `spelling.fold`, hence `ascii`: it treats all other characters as letters.
    """
    tokenizer = db.fts5_tokenizer("porter", ["ascii"])

    def tokenize(text: bytes) -> list[str]:
        reason = apsw.FTS5_TOKENIZE_DOCUMENT
        return cast("list[str]", tokenizer(text, reason, None, include_offsets=False, include_colocated=False))

    return tokenize


class _OfThisThread(threading.local):
    """A tokenizer for each thread: Python calls `__init__` in each."""

    def __init__(self) -> None:
        self._db = apsw.Connection(":memory:")  # kept open
        self.tokenize = porter(self._db)


_THREADS: Final = _OfThisThread()


def of_this_thread() -> Tokenize:
    """Return this thread's tokenizer, for a store that has no SQLite."""
    return _THREADS.tokenize
