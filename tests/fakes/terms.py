"""What the fake store's words are: the product's own analysis, over words whose endings are not cut."""

from __future__ import annotations

import re
from functools import lru_cache

from memory_mcp.domain.keywords import QueryTerm
from memory_mcp.search.lexical.analyzer import Analyzer

_WORDS = re.compile("[a-z0-9\u0080-\U0010ffff]+")


def tokenize(text: bytes) -> list[str]:
    """Return the words of a text in lower case; see `domain.keywords.Tokenize`."""
    return _WORDS.findall(text.decode().lower())


@lru_cache(1_000)  # every search asks for those of every memory
def terms_of(content: str) -> frozenset[str]:
    """Return the terms that a content is found by."""
    return frozenset(Analyzer(tokenize).content_terms(content))


def share(terms: frozenset[str], wanted: QueryTerm) -> float:
    """Return what a content with these terms gets for a term that a query looks for, 0 to the term's weight."""
    return max(form.weight * _holds(terms, form) for form in (wanted, *wanted.others))


def _holds(terms: frozenset[str], form: QueryTerm) -> bool:
    return any(term.startswith(form.term) for term in terms) if form.is_prefix else form.term in terms
