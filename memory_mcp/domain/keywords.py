"""A keyword query as a store gets it: weighted terms and phrases.

`search.lexical` analyses a query once; a store deals in terms, not words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Tokenize = Callable[[bytes], list[str]]
"""Turns UTF-8 text into its terms in order: words in lower case, stemmed by Porter's English algorithm.

A word consists of letters, digits and non-ASCII characters. Every store makes the same terms, so results are the same.
"""


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term of a query."""

    term: str
    weight: float
    """Its weight, 0-1, which multiplies its rarity."""
    is_prefix: bool = False
    """Whether any term with this prefix matches: the index has no single characters of a run."""
    others: tuple[QueryTerm, ...] = ()
    """The terms of the same word in the other languages of the namespace."""
    is_extra: bool = False
    """Whether it is an alternative spelling; if no memory has it, the query still counts as fully matched."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A quoted phrase of a query."""

    text: str
    sequences: tuple[tuple[str, ...], ...]
    """The term sequences that match it, one for each language."""
    spellings: tuple[tuple[str, ...], ...]
    """For each of its words, the terms of all spellings."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Where a query's common terms begin, which say little and cost much.

    Rare terms select the candidates, rarest first. Common terms only rescore the best candidates.
    """

    postings: int
    share: float
    """Terms are common once this many memories, or this share of the namespace, are candidates, whichever is more."""
    rescored_per_result: int
    """Candidates that common terms rescore for each requested result."""


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    """The input of a keyword search."""

    terms: tuple[QueryTerm, ...]
    phrases: tuple[Phrase, ...]
    """A memory must contain all of them."""
    cutoff: Cutoff
