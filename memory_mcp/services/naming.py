"""Whether a text has the name that a query asks for: PROJ-1234 and PROJ1234 are one name, PROJ-1235 is another.

The words of a name tell nothing of that: a store that has PROJ-1234 holds the "proj" of PROJ-1235 too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from memory_mcp.domain import spelling

_HEX: Final = re.compile("[0-9a-f]{7,64}")
"""A commit's hash or its beginning: git shows seven digits at least."""
_HASHES: Final = re.compile("(?<![^ ])[0-9a-f]{7,64}(?![^ ])")
_FEWEST_DIGITS: Final = 7
"""Of a number whose digits may stand apart or together, as those of a telephone do."""
MOST_CHARS: Final = 256
"""Of a name that is looked for in other spellings; a longer one is a text."""


def spells(text: str, names: Sequence[str]) -> bool:
    """Say whether a text has at least half of the names, each in whatever spelling."""
    lines = spelling.lines(text)
    held = sum(
        any(_has(line, form) for line in lines for form in spelling.lines(name))
        if len(name) <= MOST_CHARS
        else spelling.holds(text, name)
        for name in names
    )
    return 2 * held >= len(names) > 0


def _has(line: str, name: str) -> bool:
    words = name.split()
    if not words:
        return False
    if any(pattern.search(line) for pattern in _patterns(words)):
        return True
    is_hash = len(words) == 1 and bool(_HEX.fullmatch(words[0])) and not words[0].isdecimal()
    return is_hash and any(map(words[0].startswith, _HASHES.findall(line)))


def _patterns(words: Sequence[str]) -> Iterator[re.Pattern[str]]:
    """Yield what finds the words of a name: with blanks between any two characters, but between digits as they are."""
    digits = "".join(words)
    is_long = digits.isdecimal() and len(digits) >= _FEWEST_DIGITS
    pattern, before = "", ""
    for word in words:
        for place, character in enumerate(word):
            among_digits = before.isdecimal() and character.isdecimal() and not is_long
            gap = ("" if place else " ") if among_digits else " ?"
            pattern += (gap if before else "") + re.escape(character)
            before = character
    ending = ""
    if len(words) == 1 and _HEX.fullmatch(words[0]):
        ending = "(?:[0-9]*[a-f][0-9a-f]*)?" if digits.isdecimal() else "[0-9a-f]*"
    yield re.compile(f"(?<![^ ]){pattern}{ending}(?![^ ])")
    if len(words) > 1 and re.match(r"v?\d", words[0]):  # a version: v1.2 is 1.2
        yield re.compile(f"(?<![^ ])(?:v ?)?{pattern.removeprefix('v ?')}(?![^ ])")
