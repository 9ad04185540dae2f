"""What rows of words mean. One grammar for all languages: their vocabularies say which word is what."""

from __future__ import annotations

from memory_mcp.search.times.grammar import (  # noqa: F401 - importing them adds their rules
    bounds,
    calendar,
    clocks,
    dates,
    hours,
    lengths,
    ranges,
    relative,
)
from memory_mcp.search.times.grammar.base import GRAMMAR, Now

__all__ = ["GRAMMAR", "Now"]
