"""The vocabularies: what words mean of time, language by language.

Each is a table from a meaning to the phrases for it, with commas between them. A meaning is a terminal of the grammar
and, where it has one, its value: `weekday 0` is Monday, `unit week` a week, `units week` weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import NamedTuple

from memory_mcp.services.times.text import phrase as cut

Atoms = tuple[str, ...]


class Unit(NamedTuple):
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


def _value(kind: str, text: str) -> object:
    if kind in {"num", "few"}:
        low, _, high = text.partition("-")
        return (Fraction(low), Fraction(high)) if high else Fraction(low)
    if kind in {"unit", "units", "to_date"}:
        name, _, count = text.partition("*")
        return Unit(name, int(count or 1))
    if kind in {"day_part", "weekday_part"}:
        day, part = text.split()
        return int(day), part
    return int(text) if text.lstrip("-").isdecimal() else text


def build(
    code: str,
    table: Mapping[str, str],
    spellings: Callable[[str], Iterable[str]],
    *,
    day_first: bool,
) -> Language:
    """Make a language of its table.

    Args:
        code: ISO 639.
        table: from a meaning to its phrases.
        spellings: the ways to write a phrase, such as with ae for ä.
        day_first: see `Language`.
    """
    meanings: dict[Atoms, dict[tuple[str, object], None]] = {}
    for meaning, phrases in table.items():
        kind, _, text = meaning.partition(" ")
        value = _value(meaning.partition(" ")[0], text)
        for phrase in phrases.split(","):
            for spelling in spellings(phrase.strip()):
                meanings.setdefault(cut(spelling), {})[kind, value] = None
    longest = max(map(len, meanings))
    return Language(code, day_first, {atoms: tuple(found) for atoms, found in meanings.items()}, longest)


def _umlauts(phrase: str) -> Iterable[str]:
    """Give German phrases with ae, oe and ue too."""
    return {phrase, phrase.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")}


def _as_it_is(phrase: str) -> Iterable[str]:
    return (phrase,)


CODES = ("en", "de", "fr", "es", "it", "pt")
"""The languages of the Latin script, in the order in which they are tried."""
EASTERN = ("zh", "ja")
"""The languages of texts that hold Chinese characters or kana."""


@cache
def language(code: str) -> Language:
    """Return a language of CODES or EASTERN; its vocabulary is built when it is first asked for."""
    table: Mapping[str, str] = import_module(f"{__name__}.{code}").WORDS
    spellings = _umlauts if code == "de" else _as_it_is
    return build(code, table, spellings, day_first=code in CODES and code != "en")
