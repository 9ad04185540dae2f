"""SQLite's own tokenizer, with which the analyzer makes the terms of this store."""

from __future__ import annotations

from typing import cast

import apsw

from memory_mcp.domain.keywords import Tokenize


def porter(db: apsw.Connection) -> Tokenize:
    """Return FTS5's porter tokenizer, for as long as the connection is open.

    It runs over texts that `spelling.fold` made plain, hence `ascii`: all but ASCII are letters to it.
    """
    tokenizer = db.fts5_tokenizer("porter", ["ascii"])

    def tokenize(text: bytes) -> list[str]:
        reason = apsw.FTS5_TOKENIZE_DOCUMENT
        return cast("list[str]", tokenizer(text, reason, None, include_offsets=False, include_colocated=False))

    return tokenize
