"""BM25, with the document frequencies of one namespace: the formula of every store's keyword scores.

A term gives a memory weight x idf x count x (K1 + 1) / (count + K1 x (1 - B + B x length / mean length)), the lengths
being terms. So no term gives more than weight x idf x (K1 + 1).
"""

from __future__ import annotations

import math
from typing import Final

K1: Final = 1.2
B: Final = 0.75
"""No part of the policy: FTS5 has them built in (https://sqlite.org/fts5.html#the_bm25_function)."""


def idf(memories: int, held: int) -> float:
    """Return how rare a term is that so many of the namespace's memories hold; never 0 or less."""
    return math.log(1 + (memories - held + 0.5) / (held + 0.5))
