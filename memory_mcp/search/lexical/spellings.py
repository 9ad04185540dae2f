"""The other ways to write a name: getUserName, get_user_name, get user name; Wi-Fi, wifi; PROJ-1234, PROJ 1234.

All functions take a normal text (`domain.spelling`). What a content is filed under besides its words, and what a query
asks for besides them, is made by the same ones, so that either spelling finds the other.

Every content that is stored comes through here. So patterns begin with the character that is rare, and look behind
them afterwards: Python's `re` skips to such a character quickly, and tries all others one by one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

from memory_mcp.domain.spelling import HASH, SHORTEST_HASH, words
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS, markers

_ASCII_WORDS: Final = re.compile("[A-Za-z0-9]+")
_BORDER: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z][0-9]|[0-9][A-Za-z]")
_PARTS: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_LETTER: Final = r"[^\s!-/:-@\[-`{-~\u00a0-\u00bf\u2000-\u206f\u3000-\u303f]"
"""Any character but ASCII's and the usual punctuation: a vowel sign is no \\w."""
_SEPARATORS: Final = "-._\u2010"
_COMPOUND: Final = re.compile(rf"{_LETTER}+(?:[{_SEPARATORS}]{_LETTER}+)+")
_JOINT: Final = re.compile(rf"[{_SEPARATORS}](?={_LETTER})")
MAX_TOKEN_CHARS: Final = 256
"""Characters between blanks that are looked through for compounds: what is longer is a blob, or a script of its own."""
_IN_COMPOUNDS: Final = str.maketrans(dict.fromkeys(_SEPARATORS, ""))
_BETWEEN_DIGITS: Final = re.compile(rf"\d[{_SEPARATORS}]\d")

_PUNCTUATION: Final = ".,;:!?\"')]}"
_AFFIX_LETTERS: Final = 2
"""Letters of a word that may belong to its neighbour: wi fi, Node JS."""
_UNIT_LETTERS: Final = 3
"""Letters of a unit that may stand apart from its number: 5 km."""

_DIGIT: Final = re.compile(r"\d")
_DOTTED: Final = re.compile(r"\d(?<![\d.].)\d*(?:\.\d+)+(?!\d)")
"""Versions, addresses, decimals: their digits alone are another number."""
_GROUPED: Final = re.compile(r"\d(?<![\w.,].)\d{0,2}(?:,\d{3})+(?!\d)")
_DATE: Final = re.compile(r"\d(?<![\w.+(-].)\d*(?:(?:-\d+)+|(?:/\d+)+|(?:\.\d+)+)(?!\w)")
_SPACED: Final = re.compile(r"\d(?<![\w.+(-].)\d*(?: \d+)+(?!\w)")
"""Dates, and telephone numbers that are written like one."""
_TELEPHONE: Final = re.compile(r"[+(](?<!\w.)[\d() .-]{5,24}\d(?!\w)")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
"""Of a number whose digits are separated: a telephone's without its area, and the longest (ITU-T E.164)."""

_NAME_WITH_DOT: Final = re.compile(r"\.(?<![^\s(\[{/'\"`,].)(?=[A-Za-z])(\w+)")
_NAME_WITH_APOSTROPHE: Final = re.compile(r"[A-Z]['’][A-Z]\w+")
_NAME_WITH_PLUS: Final = re.compile(r"[A-Za-z]\w+\+\+(?![\w+])")

_HASH: Final = re.compile(rf"{HASH}(?!\w)")

_WITH_JOINERS: Final = re.compile("[\u0600-\u06ff]+(?:\u200c[\u0600-\u06ff]+)+")


def names(text: str) -> str:
    """Return a text without its plain words: its names, compounds, numbers and identifiers."""
    return " ".join([token for token in text.split() if not (token.isalpha() and token[1:].islower())])


def joined(text: str, named: str) -> list[str]:
    """Return the compounds and numbers of a text in one piece, each once; `named` is what `names` returns of it.

    These are words with hyphens, dots or underscores between them; a word of one or two letters with its neighbour
    (wi fi, Node JS), and letters with a number (proj 1234); dates, telephone numbers and numbers with thousands marked.
    What is written with points between digits keeps them, and so do names that begin with one (.NET); O'Brien loses its
    apostrophe.
    """
    has_digits = bool(_DIGIT.search(named))
    found = [*_compounds(named), *_beside(text.replace("-", " ").split(), has_digits), *_names_with_signs(named)]
    if has_digits:
        found += _numbers(text, named)
    return list(dict.fromkeys(found))


def _compounds(named: str) -> Iterator[str]:
    end = 0
    for joint in _JOINT.finditer(named):
        if joint.start() < end:
            continue
        start = named.rfind(" ", 0, joint.start()) + 1
        blank = named.find(" ", joint.start())
        end = blank if blank >= 0 else len(named)
        if end - start <= MAX_TOKEN_CHARS:
            for compound in _COMPOUND.findall(named, start, end):
                if not _BETWEEN_DIGITS.search(compound):
                    yield compound.translate(_IN_COMPOUNDS)


def _beside(tokens: Sequence[str], has_digits: bool) -> Iterator[str]:  # noqa: FBT001 - of the tokens
    """Yield short words and numbers together with the words beside them."""
    known = markers()
    likely = [n for n, token in enumerate(tokens) if len(token) <= _AFFIX_LETTERS + 1 and token.lower() not in known]
    if has_digits:
        likely = sorted({*likely, *(n for n, token in enumerate(tokens) if token[0].isdigit())})
    for place in likely:
        bare = tokens[place].rstrip(_PUNCTUATION)
        before = tokens[place - 1] if place else ""
        after = tokens[place + 1].rstrip(_PUNCTUATION) if tokens[place] == bare and place + 1 < len(tokens) else ""
        if bare.isdecimal():
            pairs = [_says_something(before, known), len(after) <= _UNIT_LETTERS and _says_something(after, known)]
        elif len(bare) <= _AFFIX_LETTERS and _says_something(bare, known):
            pairs = [_says_something(word, known if len(word) > _AFFIX_LETTERS else ()) for word in (before, after)]
        else:
            continue
        yield from (pair for pair, is_one in zip((before + bare, bare + after), pairs, strict=True) if is_one)


def _says_something(word: str, function_words: Collection[str]) -> bool:
    return word.isalpha() and word.isascii() and word.lower() not in function_words


def _numbers(text: str, named: str) -> Iterator[str]:
    yield from (number.replace(".", "．") for number in _DOTTED.findall(named))
    yield from (number.replace(",", "") for number in _GROUPED.findall(named))
    spaced = _SPACED.findall(text) if _SPACED.search(named) else []  # what the text has, the shorter one has too
    telephones = _TELEPHONE.findall(text) if _TELEPHONE.search(named) else []
    for found in (*_DATE.findall(named), *spaced, *telephones):
        digits = "".join(filter(str.isdigit, found))
        if _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS:
            yield digits


def _names_with_signs(text: str) -> Iterator[str]:
    yield from (f"．{name}" for name in _NAME_WITH_DOT.findall(text))
    yield from (name[0] + name[2:] for name in _NAME_WITH_APOSTROPHE.findall(text))
    if "++" in text:
        yield from (name.replace("+", "＋") for name in _NAME_WITH_PLUS.findall(text))


def neighbours(text: str, max_words: int) -> Iterator[str]:
    """Yield each two words of a query as one, as a memory may write them: the first is no function word.

    A query of more than `max_words` words is a text, and gives none.
    """
    written = list(islice(words(text), max_words + 1))
    if len(written) <= max_words:
        for one, other in pairwise(written):
            if one.lower() not in FUNCTION_WORDS:
                yield one + other


def hashes(text: str) -> list[str]:
    """Return what may be a commit's hash, or the beginning of one, each once and in lower case."""
    found = [one[0].lower() for one in _HASH.finditer(text) if not text[one.start() - 1 : one.start()].isalnum()]
    return list(dict.fromkeys(found))


def short_forms(digits: str) -> list[str]:
    """Return what a hash may be shortened to."""
    return [digits[:length] for length in range(SHORTEST_HASH, len(digits))]


def identifier_parts(named: str) -> Iterator[str]:
    """Yield the parts of identifiers: of getUserName get, User and Name, of PROJ1234 PROJ and 1234."""
    for word in _ASCII_WORDS.findall(named):
        if not (word.isalpha() and word[1:].islower()) and _BORDER.search(word):
            parts = _PARTS.findall(word)
            if len(parts) == 2 or len(word) >= 2 * len(parts):  # a digest's snippets are no words
                yield from parts


def name_parts(named: str) -> Iterator[str]:
    """Yield the words that an identifier in camel case is made of, which a memory may hold one by one."""
    return (part for part in identifier_parts(named) if len(part) > 1 and part.isalpha())


def parts_at_joiners(text: str) -> Iterator[str]:
    """Yield what stands on both sides of a zero-width non-joiner in Persian, which some write as a blank."""
    if "\u200c" in text:
        for word in _WITH_JOINERS.findall(text):
            yield from word.split("\u200c")
