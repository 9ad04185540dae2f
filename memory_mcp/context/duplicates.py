"""Near duplicates: what says the same in other letters, blanks or punctuation.

Two statements that differ in a word, its place or a sign are no duplicates, and both are shown: "not" is a word, and
"-5" is not "5".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from memory_mcp.context.models import Evidence
from memory_mcp.domain.names import folded

QUOTES: Final = "\"'“”„‟‘’‚«»"
ENDS: Final = f"{QUOTES}.,;:!…。，、；：！"
"""What may end a word and says nothing; a question mark says something, and so does what begins a word."""


def saying(text: str) -> str:
    """Return what a text says: equal for duplicates."""
    return " ".join(map(_word, folded(text).split()))


def _word(written: str) -> str:
    """Return a word without quotes around it and punctuation behind it; signs that are no word stay."""
    bare = written.lstrip(QUOTES).rstrip(ENDS)
    return bare if any(map(str.isalnum, bare)) else written


def newest_of_each(ranked: Iterable[Evidence]) -> list[Evidence]:
    """Return each statement once, at the place of the best one, in the words and with the date of the newest.

    An older one would stand below what contradicts it. Of longer texts only passages are compared, and later.
    """
    by_saying: dict[tuple[int, object], Evidence] = {}
    for number, evidence in enumerate(ranked):
        said = (evidence.order, number if evidence.passage else saying(evidence.text))
        best = by_saying.setdefault(said, evidence)
        if _moment(evidence) > _moment(best):
            by_saying[said] = evidence
    return list(by_saying.values())


def _moment(evidence: Evidence) -> float:
    return float("-inf") if evidence.at is None else evidence.at.timestamp()
