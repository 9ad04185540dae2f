"""Which texts fit a question by their words, where a source cannot say it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from memory_mcp.domain import spelling
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS

T = TypeVar("T")
_BEGINNING: Final = 5
"""Letters after which forms of a word are taken for the word."""


def words_of(text: str) -> list[str]:
    """Return the plain words of a text; two characters at a time where a script has no spaces."""
    found: list[str] = []
    for word in spelling.plain_words(spelling.normal(text)):
        runs = spelling.RUNS.match(word)
        found += [word[at : at + 2] for at in range(max(1, len(word) - 1))] if runs else [word]
    return found


def telling_words(question: str) -> list[str]:
    """Return the distinct words of a question that say something; all of them if none does."""
    words = list(dict.fromkeys(words_of(question)))
    return [word for word in words if word not in FUNCTION_WORDS] or words


def best(
    question: str, given: Iterable[T], text_of: Callable[[T], str], count: int, *, keeps_others: bool = False
) -> Sequence[T]:
    """Return what shares words with a question, the best first and equals in their order; all, for an empty question.

    A word counts the more the fewer of the texts have it.
    """
    known = list(given)
    wanted = [word[:_BEGINNING] for word in telling_words(question)]
    if not wanted:
        return known[:count]
    held = [{word[:_BEGINNING] for word in words_of(text_of(each))} for each in known]
    frequencies = Counter(word for words in held for word in words if word in wanted)
    weights = {word: math.log(1 + len(known) / frequencies[word]) for word in frequencies}
    scores = [sum(weights.get(word, 0.0) for word in set(wanted) & words) for words in held]
    order = sorted(range(len(known)), key=lambda at: -scores[at])
    return [known[at] for at in order if keeps_others or scores[at] > 0][:count]
