"""A query as a store looks for it by words: its terms, what each counts, and its phrases.

A query is analysed once, by `search.lexical`; a store knows terms, not words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Tokenize = Callable[[bytes], list[str]]
"""From a text in UTF-8 to its words in order, in lower case and without English endings (Porter's algorithm).

A word is made of letters, digits and whatever is not ASCII. Every store gives the same terms, so that all find alike.
"""


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term that a query looks for."""

    term: str
    weight: float
    """What it counts, 0-1, times its rarity."""
    is_prefix: bool = False
    """Whether every term that begins like this will do: the index has no single characters of a run."""
    others: tuple[QueryTerm, ...] = ()
    """What stands for the same word in the languages that the namespace holds."""
    is_extra: bool = False
    """Whether it is another spelling of what the query's words say: where no memory holds it, nothing is missing."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a query has in quotes."""

    text: str
    sequences: tuple[tuple[str, ...], ...]
    """The terms in a row that it may be filed under, one row for each language."""
    spellings: tuple[tuple[str, ...], ...]
    """Of each of its words the terms of all spellings."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Where the common terms of a query begin, which say little and cost much.

    Terms bring memories into a search, rarest first. The common ones only score the best of what the others brought.
    """

    postings: int
    share: float
    """Terms are common from where so many memories, or this share of the namespace, were brought, whichever is more."""
    rescored_per_result: int
    """How many of the best memories common terms score for each result that is asked for."""


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    """What a keyword search looks for."""

    terms: tuple[QueryTerm, ...]
    phrases: tuple[Phrase, ...]
    """A memory holds all of them, or it is not found."""
    cutoff: Cutoff
