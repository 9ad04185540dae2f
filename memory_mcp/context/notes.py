"""What is said below a block, within the block's budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from memory_mcp.context.tokens import bound

MOST_SHARE: Final = 0.25
"""The share of the budget that may say what is missing."""
BRIEF: Final = "Note: incomplete; `degraded` says why."


def about(degraded: str | None, max_tokens: int) -> str:
    """Return the line that says what is missing; empty where nothing is."""
    if not degraded:
        return ""
    note = f"Note: {degraded}"
    return note if bound(note) <= MOST_SHARE * max_tokens else BRIEF


def cost(degraded: str | None, max_tokens: int) -> int:
    """Return the tokens of that line."""
    note = about(degraded, max_tokens)
    return bound(f"\n{note}") if note else 0


def below(text: str, lines: Iterable[str], max_tokens: int) -> str:
    """Return a text with those lines for which there is room."""
    for line in lines:
        longer = f"{text}\n{line}"
        text = longer if bound(longer) <= max_tokens else text
    return text
