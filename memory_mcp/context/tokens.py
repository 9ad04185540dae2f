"""An upper bound of what a text costs a model, without a model."""

from __future__ import annotations

import re
from typing import Final

_PIECES: Final = re.compile(r"[^\W\d_]+|\d{1,3}|\s+|[\W_]", re.ASCII)


def bound(text: str) -> int:
    """Return the most tokens that a text may cost."""
    return sum(_bound(piece) for piece in _PIECES.findall(text))


def _bound(piece: str) -> int:
    return 1 if piece.isascii() and len(piece) < 8 else (len(piece.encode()) + 1) // 2
