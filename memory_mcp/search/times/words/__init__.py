"""The vocabularies: what words mean of time, a file for each language.

A line of a file is a meaning, a colon and the phrases for it with commas between them; an indented line goes on with
them, and `#` begins a comment. A meaning is a terminal of the grammar and, where it has one, its value: `weekday 0` is
Monday, `unit week` one week, `units week` several, `unit week*2` a fortnight, `few 2-5` from two to five, `day -1`
yesterday. `~` after a letter stands for the endings of German adjectives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final

from memory_mcp.search.times.text import phrase as cut

CODES: Final = ("en", "de", "fr", "es", "it", "pt")
"""The languages of the Latin script, in the order in which they are tried."""
EASTERN: Final = ("zh", "ja")
"""The languages of texts that hold Chinese characters or kana."""
OTHERS: Final = (
    *("nl", "pl", "ru", "uk", "sv", "da", "nb", "fi", "cs", "sk", "hu", "ro", "bg", "hr", "sl"),
    *("el", "tr", "ar", "he", "fa", "hi", "id", "vi", "ko", "ca"),
)
"""Languages whose dates, named days and "3 days ago" are understood; tried where no other knows every word."""
NOT_DAY_FIRST: Final = frozenset({"en", "zh", "ja", "ko", "hu", "fa"})
ENDINGS: Final = ("e", "er", "en", "em", "es")

Atoms = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the calendar or the clock; a fortnight is two weeks."""

    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Language:
    """What phrases mean in a language."""

    code: str
    day_first: bool
    """Whether 05/03/2023 is 5 March wherever the language is written."""
    meanings: Mapping[Atoms, tuple[tuple[str, object], ...]]
    longest: int
    """Atoms of the longest phrase."""


@cache
def language(code: str) -> Language:
    """Return a language of CODES, EASTERN or OTHERS; its vocabulary is read when it is first asked for."""
    meanings: dict[Atoms, dict[tuple[str, object], None]] = {}
    for meaning, phrases in _rows(Path(__file__).with_name(f"{code}.txt").read_text(encoding="utf-8")):
        kind, _, text = meaning.partition(" ")
        value = _value(kind, text)
        for phrase in phrases:
            for spelling in _spellings(phrase):
                meanings.setdefault(cut(spelling), {})[kind, value] = None
    longest = max(map(len, meanings))
    return Language(
        code, code not in NOT_DAY_FIRST, {atoms: tuple(found) for atoms, found in meanings.items()}, longest
    )


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.replace("\n ", " ").splitlines():
        if not line.startswith("#"):
            meaning, _, phrases = line.partition(": ")
            yield meaning, [phrase.strip() for phrase in phrases.split(",")]


def _value(kind: str, text: str) -> object:
    if kind == "num":
        return Fraction(text)
    if kind == "few":
        low, _, high = text.partition("-")
        return (Fraction(low), Fraction(high)) if high else Fraction(low)
    if kind == "turned":
        count, name = text.split()
        return Unit(name, int(count))
    if kind in {"unit", "units"}:
        name, _, count = text.partition("*")
        return Unit(name, int(count or 1))
    if kind in {"day_part", "weekday_part"}:
        day, part = text.split()
        return int(day), part
    return int(text) if text.lstrip("-").isdecimal() else text


def _spellings(phrase: str) -> Iterable[str]:
    """Give a phrase with the endings of an adjective, and with ae, oe and ue for umlauts."""
    bent = phrase[-1:] == "~" and phrase[-2:-1].isalpha()
    forms = [phrase[:-1] + ending for ending in ENDINGS] if bent else [phrase]
    return [*forms, *(form.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue") for form in forms)]
