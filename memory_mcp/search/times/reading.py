"""From an expression to its interval: in each language that knows all of its words, by one grammar."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from memory_mcp.search.times.engine import Parser, TooIntricateError
from memory_mcp.search.times.grammar import GRAMMAR, Now
from memory_mcp.search.times.lexing import Lattice, lattice
from memory_mcp.search.times.spans import Span
from memory_mcp.search.times.text import as_written, atoms, is_eastern, normal
from memory_mcp.search.times.words import CODES, EASTERN, OTHERS, language

_BIG_M: Final = re.compile(r"\d+ ?M\b")


class NotUnderstoodError(ValueError):
    """Why an expression is not understood."""


def read(expression: str, moment: datetime) -> Span:
    """Return what an expression means.

    Args:
        expression: in one of the languages of the vocabularies.
        moment: now (aware); days and weeks are those of the system's zone.

    Raises:
        NotUnderstoodError: names the words that are not understood, or says why they mean no one time.
    """
    words = _words(expression)
    lattices, reasons = list[Lattice](), list[str]()
    for code in EASTERN if is_eastern(words) else (*CODES, *OTHERS):
        if code == OTHERS[0] and not all(each.unknown for each in lattices):
            break
        lattices.append(lattice(words, language(code)))
        if lattices[-1].unknown:
            continue
        by_day = language(code).day_first and any(word.group().isalpha() for word in words)
        parser = Parser(GRAMMAR, lattices[-1], Now(moment, by_day))
        try:
            for span in parser.readings("time"):
                assert isinstance(span, Span)  # noqa: S101 - what `time` is
                return span
        except TooIntricateError:
            raise NotUnderstoodError("it has too many readings") from None
        reasons += [parser.error] if parser.error else []
    if all(each.unknown for each in lattices):
        raise NotUnderstoodError(_unknown(lattices, as_written(expression, words)))
    raise NotUnderstoodError(reasons[0] if reasons else "its words are known, but do not make one time together")


def _words(expression: str) -> list[re.Match[str]]:
    if minutes_or_months := _BIG_M.search(expression):
        raise NotUnderstoodError(f"{minutes_or_months[0]} may be minutes or months, write which")
    try:
        return atoms(normal(expression))
    except ValueError as error:
        raise NotUnderstoodError(str(error)) from None


def _unknown(lattices: list[Lattice], written: list[str]) -> str:
    best = min(lattices, key=lambda each: len(each.unknown))
    words = ", ".join(repr(written[number][:30]) for number in best.unknown[:5])
    return f"{words} is not understood" if len(best.unknown) == 1 else f"{words} are not understood"
