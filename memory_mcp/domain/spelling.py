"""Words of any script, and the plain spelling that search compares.

Search must treat spellings of one word as equal, and different words as different, whatever the script:

- In scripts whose marks a writer may leave out (points and accents of Arabic, Hebrew, Syriac and Samaritan; diacritics
  of Latin and Greek; accents of Cyrillic and the dots of ё) the marks are dropped.
- In all others (the abugidas of India and South-East Asia, Thaana, N'Ko, Tibetan, kana and so on) a mark is a letter
  or part of one: it does not end a word and must not be dropped. Cyrillic й, ї and ў are letters too.
- Letters with strokes and ligatures, which Unicode does not decompose, become their base letters.
- Digits of every script become ASCII digits; invisible characters (joiners, variation selectors, tatweel) are dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u0640\u061c\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt) without letters, and Arabic's tatweel (U+0640)."""
_UNSEEN_BLANK: Final = "\u200b"
"""The zero-width space separates words."""

_OPTIONAL: Final = frozenset({"ARABIC", "HEBREW", "SYRIAC", "SAMARITAN", "COMBINING", "VARIATION"})
"""First words in the names of optional marks; those of Latin, Greek and Cyrillic are called COMBINING."""
_LETTERS: Final = tuple(
    f"COMBINING {script}"
    for script in ("DEVANAGARI", "GRANTHA", "BINDU", "KATAKANA-HIRAGANA", "GLAGOLITIC LETTER", "OLD PERMIC LETTER")
)
"""Marks called COMBINING that are letters, or make another letter: ガ is not カ."""
_PLAIN_CYRILLIC: Final = frozenset("ёѐѝѷ")
"""Cyrillic letters that are usually written without their marks. All others, such as й, ї and ў, are letters of an
alphabet: nobody writes и for й."""

_WITHOUT_STROKE: Final = re.compile(
    r"LATIN SMALL (?:LETTER|LIGATURE) (?:(?:DOTLESS|LONG|OPEN|BARRED|AFRICAN|INSULAR|MIDDLE-WELSH) )?"
    r"(?P<letters>[A-Z]{1,2})(?: WITH .+| DIGRAPH)?"
)
"""Unicode names that tell a letter's base letters: D WITH STROKE, DOTLESS I, AE, LIGATURE OE, DZ DIGRAPH."""
_NAMED: Final = {
    "ð": "d",
    "þ": "th",
    "ꝥ": "th",
    "ŋ": "n",
    "ĸ": "k",
    "ə": "e",
    "ʒ": "z",
    "ȝ": "y",
    "ƿ": "w",
    "ٱ": "ا",
    "ی": "ي",
    "ک": "ك",
}
"""Letters whose names do not tell: some Latin ones, Arabic alef with marks, and the Persian forms of yeh and kaf."""
_SPELT_OUT: Final = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "å": "aa",
    "ø": "oe",
    "đ": "dj",
    "ŋ": "ng",
    "ĸ": "q",
    "ə": "a",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
    "Å": "Aa",
    "Ø": "Oe",
    "Đ": "Dj",
    "Ŋ": "Ng",
    "Ə": "A",
}
"""The other way to write a letter in ASCII: Müller as Mueller, Århus as Aarhus, Đoković as Djokovic."""
_TWO_SPELLINGS: Final = str.maketrans(_SPELT_OUT)

RUNS: Final = re.compile(
    "["
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b"  # Han
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Kana
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf"  # Lao
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
    "\u1000-\u103f\u104c-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Myanmar
    "]+"
)
"""Scripts without spaces between words: the tokenizer would make a sentence one word, or break it at a vowel."""

_CATALAN: Final = re.compile("(?<=[lL])·(?=[lL])")
_NAMES_WITH_SIGNS: Final = re.compile(r"(?<![^\W_])([A-Za-z])(\+\+|#)(?![^\W\d]|[+#])(?=(\d?))")
"""C++, C#, F#, g++: without its signs the letter is another language."""
_LETTER_SIGNS: Final = {"+": "＋", "#": "＃"}
_SIGNS: Final = frozenset("＋＃．")
"""Signs that are part of a term. NFKC removes these full-width characters from texts, and SQLite's tokenizer treats
them as letters."""

SHORTEST_HASH, LONGEST_HASH = 7, 64
"""Digits of a commit hash or its prefix: git shows at least seven, SHA-256 has 64."""
HASH: Final = f"[0-9a-fA-F]{{{SHORTEST_HASH},{LONGEST_HASH}}}"
"""A pattern of such digits; add your own boundaries."""

_ASCII_WORDS: Final = re.compile("[A-Za-z0-9]+")
_NO_ASCII_WORD: Final = re.compile("[^a-z0-9]+")
_WORDS: Final = re.compile("w[wi]*")
MOST_KNOWN: Final = 20_000
"""Maximum characters cached in each table, more than everyday texts use."""


class _Table(dict[int, str]):
    """A table for str.translate() that computes each character's replacement on first use."""

    def __init__(self, of: Callable[[str], str]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_KNOWN:
            self.clear()
        self[code] = self._of(chr(code))
        return self[code]


def normal(text: str) -> str:
    """Return the text in NFKC without invisible characters.

    In names such as C++ and C# the signs become part of the word.
    """
    text = text.replace("\0", " ")  # NUL would end a text in SQLite
    if not text.isascii():
        text = _INVISIBLE.sub("", text.replace(_UNSEEN_BLANK, " "))
        text = unicodedata.normalize("NFKC", text).replace("♯", "#")
        text = _CATALAN.sub("", text)
    return _NAMES_WITH_SIGNS.sub(_with_signs, text) if "#" in text or "++" in text else text


def _with_signs(name: re.Match[str]) -> str:
    return name[1] + "".join(_LETTER_SIGNS[sign] for sign in name[2]) + " " * bool(name[3])


def fold(text: str) -> str:
    """Return a normalised text in lower case and plain spelling, with a space for everything outside words."""
    return _NO_ASCII_WORD.sub(" ", text.lower()) if text.isascii() else text.translate(_PLAIN)


def plain_words(text: str) -> list[str]:
    """Return the words of a text in plain spelling."""
    return fold(normal(text)).split()


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as written, including marks."""
    return (text[start:end] for start, end in word_spans(text))


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each word of a text."""
    matches = _ASCII_WORDS.finditer(text) if text.isascii() else _WORDS.finditer(text.translate(_KINDS))
    return (word.span() for word in matches)


def plain_forms(word: str) -> list[str]:
    """Return a word's ASCII spellings: Müller as muller and mueller."""
    return [fold(form) for form in (word, spelt_out(word))]


def spelt_out(text: str) -> str:
    """Return the text with letters that ASCII writers spell as two: Mueller, Aarhus, Soeren."""
    return text.translate(_TWO_SPELLINGS)


def holds(text: str, phrase: str) -> bool:
    """Return whether a text contains the words of a phrase in a row, in either ASCII spelling."""
    phrase_lines = lines(phrase)
    return any(one in line for line in lines(text) for one in phrase_lines)


def lines(text: str) -> set[str]:
    """Return the plain words of a text in both ASCII spellings, with spaces around each word."""
    apart = RUNS.sub(lambda run: f" {' '.join(run[0])} ", normal(text))
    return {f" {' '.join(form.split())} " for form in plain_forms(apart)}


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "M":
        return "" if _may_be_left_out(character) else character
    if category == "Cf":
        return ""
    if category[0] not in "LN" and category != "Co":
        return character if character in _SIGNS else " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if "\u02b9" <= character <= "\u02c1":  # apostrophes that are letters: Hawaiʻi
        return ""
    return _plain_letter(character)


def _plain_letter(letter: str) -> str:
    small = letter.casefold()
    if small not in _PLAIN_CYRILLIC and unicodedata.name(letter, "").startswith("CYRILLIC"):
        return small
    letters = unicodedata.normalize("NFD", small)
    return unicodedata.normalize("NFC", "".join(map(_without_stroke, letters)))


def _may_be_left_out(mark: str) -> bool:
    name = unicodedata.name(mark, "")
    return name.partition(" ")[0] in _OPTIONAL and not name.startswith(_LETTERS)


def _without_stroke(letter: str) -> str:
    if letter.isascii():
        return letter
    if unicodedata.category(letter)[0] == "M":
        return "" if _may_be_left_out(letter) else letter
    named = _WITHOUT_STROKE.fullmatch(unicodedata.name(letter, ""))
    return named["letters"].lower() if named else _NAMED.get(letter, letter)


def _kind(character: str) -> str:
    """Return "w" for a word character, "i" for one to ignore, " " for a separator."""
    plain = _PLAIN[ord(character)]
    return "i" if not plain else "w" if plain.strip() else " "


_PLAIN: Final = _Table(_plain)
_KINDS: Final = _Table(_kind)
