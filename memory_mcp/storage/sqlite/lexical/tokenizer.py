"""SQLite's tokenizer, which the analyzer uses for this store."""

from __future__ import annotations

from typing import cast

import apsw

from memory_mcp.domain.keywords import Tokenize


def porter(db: apsw.Connection) -> Tokenize:
    """Return FTS5's porter tokenizer, for as long as the connection is open.

    Its input is normalized by `spelling.fold`, hence `ascii`: it treats all other characters as letters.
    """
    tokenizer = db.fts5_tokenizer("porter", ["ascii"])

    def tokenize(text: bytes) -> list[str]:
        reason = apsw.FTS5_TOKENIZE_DOCUMENT
        return cast("list[str]", tokenizer(text, reason, None, include_offsets=False, include_colocated=False))

    return tokenize
