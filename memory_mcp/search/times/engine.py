"""A grammar as rules over the tokens of a text, and its parser: every word is part of a reading, or there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from memory_mcp.search.times.lexing import Lattice

F = TypeVar("F", bound=Callable[..., object])
Captures = dict[str, object]

MAX_STEPS: Final = 60_000
"""Of one parse: a few hundred are usual, and no expression of 200 characters may hold a thread."""
MAX_READINGS: Final = 4
"""Of the same words by the same symbol: the first rules come first."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One place of a rule: the symbols that may stand there, and the name that the action knows the value by."""

    symbols: tuple[str, ...]
    name: str | None
    optional: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    items: tuple[_Item, ...]
    action: Callable[..., object]


def _item(text: str) -> _Item:
    name, colon, symbols = text.rstrip("?").rpartition(":")
    return _Item(tuple(symbols.split("|")), name if colon else None, text.endswith("?"))


class Grammar:
    """Rules by the symbol that they are readings of; a symbol without rules is a kind of token."""

    def __init__(self) -> None:
        self.rules: dict[str, list[_Rule]] = {}

    def rule(self, symbol: str, *patterns: str) -> Callable[[F], F]:
        """Make a function the meaning of patterns.

        A pattern is a row of places: `name:symbol` hands the value to the function, `a|b` is either, `?` may be left
        out. The function is called with the context first and raises ValueError where the words have no meaning.
        """

        def add(action: F) -> F:
            rows = self.rules.setdefault(symbol, [])
            rows += [_Rule(tuple(map(_item, pattern.split())), action) for pattern in patterns]
            return action

        return add


class Parser:
    """Reads one lattice; each symbol is read once at each place."""

    def __init__(self, grammar: Grammar, lattice: Lattice, context: object) -> None:
        self._grammar = grammar
        self._lattice = lattice
        self._context = context
        self._read: dict[tuple[str, int], list[tuple[int, object]]] = {}
        self._steps = 0
        self.furthest = 0
        """The atoms that some reading has used from the start on."""
        self._errors: list[tuple[int, str]] = []
        self._ambiguous: str | None = None

    def readings(self, symbol: str) -> Iterator[object]:
        """Give the values of a symbol for the whole text; none where a rule says that it may mean two things."""
        found = self._at(symbol, 0)
        if self._ambiguous is None:
            yield from (value for end, value in found if end == len(self._lattice.atoms))

    @property
    def error(self) -> str | None:
        """Why the text may mean two things, or why the longest row of words that fits a rule has no meaning."""
        if self._ambiguous is None and self._errors:
            return max(self._errors, key=lambda error: error[0])[1]
        return self._ambiguous

    def _at(self, symbol: str, start: int) -> list[tuple[int, object]]:
        rules = self._grammar.rules.get(symbol)
        if rules is None:
            return self._tokens(symbol, start)
        if (symbol, start) not in self._read:
            self._read[symbol, start] = []  # a symbol that begins with itself has no further reading
            found: list[tuple[int, object]] = []
            for rule in rules:
                for end, value in self._apply(rule, start):
                    if (end, value) not in found and sum(end == other for other, _ in found) < MAX_READINGS:
                        found.append((end, value))
            self._read[symbol, start] = found
        return self._read[symbol, start]

    def _tokens(self, kind: str, start: int) -> list[tuple[int, object]]:
        if start >= len(self._lattice.atoms):
            return []
        found = [(token.end, token.value) for token in self._lattice.tokens[start] if token.kind == kind]
        self.furthest = max([self.furthest, *(end for end, _ in found)])
        return found

    def _apply(self, rule: _Rule, start: int) -> Iterator[tuple[int, object]]:
        for end, captures in self._rows(rule.items, start):
            try:
                yield end, rule.action(self._context, **captures)
            except AmbiguousError as error:
                if start == 0 and end == len(self._lattice.atoms):
                    self._ambiguous = str(error)
            except (ValueError, OverflowError) as error:
                self._errors.append((end - start, str(error)))

    def _rows(self, items: tuple[_Item, ...], start: int) -> Iterator[tuple[int, Captures]]:
        """Give each way in which the places can be filled from an atom on."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooIntricateError
        if not items:
            yield start, {}
            return
        item, rest = items[0], items[1:]
        for symbol in item.symbols:
            for end, value in self._at(symbol, start):
                for last, captures in self._rows(rest, end):
                    yield last, {item.name: value, **captures} if item.name else captures
        if item.optional:
            yield from self._rows(rest, start)


class AmbiguousError(Exception):
    """A rule understands words that may mean two things; where they are the whole text, no other reading counts."""


class TooIntricateError(Exception):
    """So many readings were tried that no one means the text."""
