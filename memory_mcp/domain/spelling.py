"""What a word is in any script, and the plain spelling that it is found by.

Search has to treat different spellings of one word as equal, and different words as different, whatever the script:

- In scripts whose marks a writer may leave out (points and accents of Arabic, Hebrew, Syriac and Samaritan; diacritics
  of Latin and Greek; accents of Cyrillic and the dots of ё) the marks are dropped.
- In all others (the abugidas of India and South-East Asia, Thaana, N'Ko, Tibetan, kana and so on) a mark is a letter
  or makes one: it neither ends a word nor may it be dropped. Cyrillic й, ї and ў are letters too.
- Letters with strokes and ligatures, which Unicode does not decompose, become the letters that they stand for.
- Digits of every script are ASCII digits, and what cannot be seen (joiners, variation selectors, tatweel) is not there.
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
"""The zero-width space, a border of words."""

_OPTIONAL: Final = frozenset({"ARABIC", "HEBREW", "SYRIAC", "SAMARITAN", "COMBINING", "VARIATION"})
"""First words in the names of marks that may be left out; Latin's, Greek's and Cyrillic's are called COMBINING."""
_LETTERS: Final = tuple(
    f"COMBINING {script}"
    for script in ("DEVANAGARI", "GRANTHA", "BINDU", "KATAKANA-HIRAGANA", "GLAGOLITIC LETTER", "OLD PERMIC LETTER")
)
"""Marks that are called COMBINING and are letters all the same, or make another letter: ガ is not カ."""
_PLAIN_CYRILLIC: Final = frozenset("ёѐѝѷ")
"""Cyrillic letters that are usually written without their marks. All others, such as й, ї and ў, are letters of an
alphabet: nobody writes и for й."""

_WITHOUT_STROKE: Final = re.compile(
    r"LATIN SMALL (?:LETTER|LIGATURE) (?:(?:DOTLESS|LONG|OPEN|BARRED|AFRICAN|INSULAR|MIDDLE-WELSH) )?"
    r"(?P<letters>[A-Z]{1,2})(?: WITH .+| DIGRAPH)?"
)
"""Names that say which letters a letter is made of: D WITH STROKE, DOTLESS I, AE, LIGATURE OE, DZ DIGRAPH."""
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
"""Letters whose names do not say it: of Latin, and of Arabic the pointed alef and the Persian forms of yeh and kaf."""
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
"""Scripts that put no spaces between words: the tokenizer would make one word of a sentence, or break it at a vowel."""

_CATALAN: Final = re.compile("(?<=[lL])·(?=[lL])")
_NAMES_WITH_SIGNS: Final = re.compile(r"(?<![^\W_])([A-Za-z])(\+\+|#)(?![^\W\d]|[+#])(?=(\d?))")
"""C++, C#, F#, g++: without its signs the letter is another language."""
_LETTER_SIGNS: Final = {"+": "＋", "#": "＃"}
_SIGNS: Final = frozenset("＋＃．")
"""Signs that are part of a term. NFKC leaves no such full-width character in a text, and SQLite's tokenizer takes them
for letters."""

SHORTEST_HASH, LONGEST_HASH = 7, 64
"""Digits of a commit's hash or its beginning: git shows seven at least, SHA-256 has 64."""
HASH: Final = f"[0-9a-fA-F]{{{SHORTEST_HASH},{LONGEST_HASH}}}"
"""A pattern of such digits; what may stand around them is the user's to say."""

_ASCII_WORDS: Final = re.compile("[A-Za-z0-9]+")
_NO_ASCII_WORD: Final = re.compile("[^a-z0-9]+")
_WORDS: Final = re.compile("w[wi]*")
MOST_KNOWN: Final = 20_000
"""Characters that are remembered in each table: no text of everyday use holds more."""


class _Table(dict[int, str]):
    """What str.translate() puts in the place of each character, worked out when it is first met."""

    def __init__(self, of: Callable[[str], str]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_KNOWN:
            self.clear()
        self[code] = self._of(chr(code))
        return self[code]


def normal(text: str) -> str:
    """Return the text with one form (NFKC) of each character, and without those that cannot be seen.

    The names C++, C# and their like get signs that are part of a word.
    """
    text = text.replace("\0", " ")  # which would end a text in SQLite
    if not text.isascii():
        text = _INVISIBLE.sub("", text.replace(_UNSEEN_BLANK, " "))
        text = unicodedata.normalize("NFKC", text).replace("♯", "#")
        text = _CATALAN.sub("", text)
    return _NAMES_WITH_SIGNS.sub(_with_signs, text) if "#" in text or "++" in text else text


def _with_signs(name: re.Match[str]) -> str:
    return name[1] + "".join(_LETTER_SIGNS[sign] for sign in name[2]) + " " * bool(name[3])


def fold(text: str) -> str:
    """Return a normal text in lower case and plain spelling; what belongs to no word is a blank in it."""
    return _NO_ASCII_WORD.sub(" ", text.lower()) if text.isascii() else text.translate(_PLAIN)


def plain_words(text: str) -> list[str]:
    """Return the words of any text in plain spelling."""
    return fold(normal(text)).split()


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as they are written, marks included."""
    return (text[start:end] for start, end in word_spans(text))


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each word of a text begins and ends."""
    found = _ASCII_WORDS.finditer(text) if text.isascii() else _WORDS.finditer(text.translate(_KINDS))
    return (word.span() for word in found)


def plain_forms(word: str) -> list[str]:
    """Return how a word may be written in ASCII: Müller as muller and as mueller."""
    return [fold(form) for form in (word, spelt_out(word))]


def spelt_out(text: str) -> str:
    """Return the text with two letters where ASCII writers put two for one: Mueller, Aarhus, Soeren."""
    return text.translate(_TWO_SPELLINGS)


def holds(text: str, phrase: str) -> bool:
    """Say whether the words of a phrase follow each other in a text, in either spelling."""
    wanted = lines(phrase)
    return any(one in line for line in lines(text) for one in wanted)


def lines(text: str) -> set[str]:
    """Return the plain words of a text, a blank on either side of each, in both ASCII spellings."""
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
    """Return w for what makes a word, i for what is ignored in one, a blank for what ends it."""
    plain = _PLAIN[ord(character)]
    return "i" if not plain else "w" if plain.strip() else " "


_PLAIN: Final = _Table(_plain)
_KINDS: Final = _Table(_kind)
