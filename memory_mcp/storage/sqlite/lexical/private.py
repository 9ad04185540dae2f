"""FTS5's own tables and the weight that its bm25() has built in; nothing else of ours touches them.

`tests/architecture/test_private_tables.py` names each, and fails when an upgrade of SQLite drops or changes one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Final, cast

import apsw

from memory_mcp.storage.rows import to_json

INDEXED_SQL: Final = "(SELECT id FROM keywords_docsize)"
"""SQL for the `id` of each memory that the index holds; FTS5's own table of them is far smaller than the terms."""
MIN_IDF: Final = 1e-6
"""FTS5's weight of a word that most memories hold."""


def terms_of(db: apsw.Connection, keys: Collection[int]) -> Iterator[tuple[int, str]]:
    """Return what the index was given of these memories, without asking its virtual table for each."""
    rows = db.execute(
        "SELECT id, c0 FROM keywords_content WHERE id IN (SELECT value FROM json_each(?))", (to_json(list(keys)),)
    )
    return cast("Iterator[tuple[int, str]]", rows)


def idf(stored: int, held: int) -> float:
    """Return the weight that bm25() gives a word which `held` of `stored` memories hold, to be taken out of scores."""
    return max(MIN_IDF, math.log((stored - held + 0.5) / (held + 0.5)))
