"""Whether a text has the name that a query asks for: PROJ-1234 and PROJ1234 are one name, PROJ-1235 is another.

The words of a name tell nothing of that: a store that has PROJ-1234 holds the "proj" of PROJ-1235 too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.search.policy import FitPolicy

_HASH: Final = re.compile(spelling.HASH)
_HASHES: Final = re.compile(f"(?<![^ ]){spelling.HASH}(?![^ ])")


def spells(text: str, alternatives: Iterable[Sequence[str]], policy: FitPolicy) -> bool:
    """Say whether a text has enough of the names of any alternative, each in whatever spelling."""
    lines = spelling.lines(text)
    return any(_spells_enough(text, lines, names, policy) for names in alternatives)


def _spells_enough(text: str, lines: Collection[str], names: Sequence[str], policy: FitPolicy) -> bool:
    held = sum(
        any(_has(line, form, name, policy.long_number) for line in lines for form in spelling.lines(name))
        if len(name) <= policy.longest_name
        else spelling.holds(text, name)
        for name in names
    )
    return held >= policy.names_share * len(names) > 0


def _has(line: str, form: str, name: str, long_number: int) -> bool:
    """Say whether a line has a name; `form` is its line."""
    words = form.split()
    if not words:
        return False
    is_long = "." not in name and sum(map(str.isdecimal, form)) >= long_number
    if any(pattern.search(line) for pattern in _patterns(words, is_long=is_long)):
        return True
    is_hash = len(words) == 1 and bool(_HASH.fullmatch(words[0])) and not words[0].isdecimal()
    return is_hash and any(map(words[0].startswith, _HASHES.findall(line)))


def _patterns(words: Sequence[str], *, is_long: bool) -> Iterator[re.Pattern[str]]:
    """Yield what finds the words of a name: with or without blanks between any two characters.

    Between digits these are as the name has them, but in a long number.
    """
    pattern, before = "", ""
    for word in words:
        for place, character in enumerate(word):
            among_digits = before.isdecimal() and character.isdecimal() and not is_long
            gap = ("" if place else " ") if among_digits else " ?"
            pattern += (gap if before else "") + re.escape(character)
            before = character
    ending = ""
    if len(words) == 1 and _HASH.fullmatch(words[0]):
        ending = "(?:[0-9]*[a-f][0-9a-f]*)?" if words[0].isdecimal() else "[0-9a-f]*"
    yield re.compile(f"(?<![^ ]){pattern}{ending}(?![^ ])")
    if len(words) > 1 and re.match(r"v?\d", words[0]):  # a version: v1.2 is 1.2
        yield re.compile(f"(?<![^ ])(?:v ?)?{pattern.removeprefix('v ?')}(?![^ ])")
