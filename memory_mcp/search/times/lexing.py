"""From a text to what its words may be in one language: a lattice, because "May" and "last week" overlap freely."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memory_mcp.search.times import shapes
from memory_mcp.search.times.words import Language


@dataclass(frozen=True, slots=True)
class TimeToken:
    """What the atoms up to `end` may be; `kind` is a terminal of the grammar."""

    end: int
    kind: str
    value: object


@dataclass(frozen=True, slots=True)
class Lattice:
    """All tokens of a text in one language, by the atom that they begin with."""

    atoms: tuple[str, ...]
    tokens: tuple[tuple[TimeToken, ...], ...]

    @property
    def unknown(self) -> tuple[int, ...]:
        """The atoms that are in no token."""
        known = {
            atom for start, tokens in enumerate(self.tokens) for token in tokens for atom in range(start, token.end)
        }
        return tuple(atom for atom in range(len(self.atoms)) if atom not in known)


def lattice(atoms: list[re.Match[str]], language: Language) -> Lattice:
    """Return what the atoms may be in a language."""
    words = tuple(atom.group() for atom in atoms)
    ends = {atom.end(): number + 1 for number, atom in enumerate(atoms)}
    text = atoms[0].string
    tokens = []
    for start, atom in enumerate(atoms):
        found = [
            TimeToken(ends[shape.end], shape.kind, shape.value)
            for shape in shapes.at(text, atom.start())
            if shape.end in ends
        ]
        for length in range(1, min(language.longest, len(words) - start) + 1):
            meanings = language.meanings.get(words[start : start + length], ())
            found += [TimeToken(start + length, kind, value) for kind, value in meanings]
        tokens.append(tuple(found))
    return Lattice(words, tuple(tokens))
