"""The stems of words in European languages, and how compounds are found by their parts.

A text in one of them is filed under that language's stems ("de:haus"), any other text under SQLite's own (English). A
query says too little to tell its language: it asks for the stems of every language that the namespace holds, each of
which has a mark ("de:") that says so. Nothing changes where all is English.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from itertools import chain
from typing import Final, Protocol

from memory_mcp.domain import spelling

_NAMES: Final = {
    "da": "danish",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
}
"""Snowball's name of each language."""
LANGUAGES: Final = tuple(_NAMES)
_COMPOUNDING: Final = frozenset({"da", "de", "nl", "no", "sv"})
"""They write compounds as one word."""

_FUNCTION_WORDS: Final = {
    "da": """
        af at blev da de den der det du efter eller en er et for fra før ham han har hun hvad hvor i ikke
        jeg kan kom men mig min mod og om over på sig skal som så til ud var ved vi vil være
    """,
    "de": """
        aber als am an auch auf aus bei bin bis das dass dem den der des die durch ein eine einem einen
        einer er es für haben habe hat hatte ich ihr im in ist kann mein meine mit nach nicht noch nur oder
        sein seine sich sie sind und um unser uns vom von vor war waren warum was wenn wer werden wie wir
        wird wo wurde zu zum zur über
    """,
    "en": """
        a about after all also an and are as at be been but by can did do for from had has have he her his
        how i if in into is it its me my no not of on or our she so than that the their them then there they
        this to up us was we were what when where which who will with would you your
    """,
    "es": """
        al como con cuando de del donde el ella en era es esta estaba está estaban este fue ha han hay la
        las le lo los mi mis más me muy no nos para pero por porque que qué se ser si sin sobre son su sus
        también tiene un una y yo
    """,
    "fi": """
        ei että han he hän ja jos joka jotka kanssa kun kuin me minä mitä mutta myös nyt oli olin on ovat se
        sen siitä sitä tai tämä vain voi
    """,
    "fr": """
        ai au aux avec ce ces cette dans de des du elle en est et eu il ils j je la le les leur lui ma mais
        mes mon ne nous on ont ou où par pas plus pour qu que qui sa se ses son sont sur un une vous été
        être à
    """,
    "hu": """
        a az csak de egy el ez hogy is és ha ki le még meg mert mi mint most már nem sem van volt vagy én
    """,
    "it": """
        al alla anche che chi come con cui da dal dalla degli dei del della delle di dove e era essere gli
        ha hanno ho i il in io la le lo ma mi mia mio nel nella noi non o per perché più quando questo se si
        sono su sua suo un una è
    """,
    "nl": """
        aan als bij dat de deze die dit door een en er had heb hebben heeft het hij hoe ik in is je kan maar
        met mijn naar niet nog of om onze ook op over te tot uit van voor waar was wat we werd wij zij zijn
    """,
    "no": """
        av at ble da de den det du eller en er et etter for fra han har hun hva hvor i ikke jeg kan kom men
        meg min mot og om over på seg skal som så til ut var ved vi vil være
    """,
    "pl": """
        ale był była co czy dla do gdzie i ich jak jest jestem już ja kiedy które którzy ma mam mnie moja
        mój na nie o od oraz po przez się są ta tak tam to tym w we z za że
    """,
    "pt": """
        a ao aos as com como da das de do dos e ela ele em era essa esta está estava eu foi há isso já mais
        mas me meu minha muito na nas no nos não o onde os ou para pela pelo por quando que quem se sem ser
        seu sua são também tem um uma
    """,
    "ro": """
        a ai al am ar au că când ce cea cel cu de din el ea este eu fi fost în la mai nu o pe pentru
        sau se și sunt un una unde
    """,
    "sv": """
        att av de den det din du efter eller en er ett från för han har hon hur i inte jag kan kom med men
        mig min mot och om på sig ska skulle som så till ut vad var vi vid vill är över
    """,
}
_WORDS: Final = re.compile(r"[^\W\d_]+")
_ASCII_WORDS: Final = re.compile("[a-z]+")
"""The same of a text in lower case that is ASCII, which takes half the time."""
_SCRIPTS: Final = (("ru", re.compile("[а-яёА-ЯЁ]")), ("el", re.compile("[α-ωά-ώΑ-Ω]")))
_OTHER_SCRIPTS: Final = frozenset(language for language, _ in _SCRIPTS)
"""Languages whose marks Snowball drops, or nobody leaves out."""
_LETTERS: Final = {
    "ß": "de",
    "ñ": "es",
    "å": "sv",
    "ő": "hu",
    "ű": "hu",
    "ł": "pl",
    "ą": "pl",
    "ã": "pt",
    "õ": "pt",
    "ș": "ro",
    "ț": "ro",
}
"""Letters that tell a language where it has no words to be told by."""

_OF_NAMES: Final = frozenset({"com", "des", "los", "las", "van", "von", "son"})
"""Words of names in other languages, or of other meanings."""

READ_CHARS: Final = 1_000
"""Characters that a text's language is told by."""

MOST_STEMS: Final = 4_096
"""Stems that are kept in mind."""

READ_LETTERS: Final = 64
"""Letters of a word that are looked at: a blob of letters is no word."""
LONG: Final = 8
"""Letters of a stem that may be a compound's."""
PART: Final = 4
"""Letters of a stem that a compound may be made of, at least."""


@cache
def _speakers() -> dict[str, list[str]]:
    """Return the languages that each function word belongs to."""
    speakers: dict[str, list[str]] = {}
    for language, words in _FUNCTION_WORDS.items():
        for word in words.split():
            speakers.setdefault(word, []).append(language)
    return speakers


def language_of(text: str) -> str | None:
    """Return the language that a text is filed under, None for English, another one, and what cannot be told."""
    start = text[:READ_CHARS]
    if not start.isascii():
        for language, letters in _SCRIPTS:
            if 2 * len(letters.findall(start)) > len("".join(_WORDS.findall(start))):
                return language
    spoken = _spoken(start.lower())
    if not spoken:
        return None
    best = min(spoken, key=lambda language: (-spoken[language], language))  # ties fall alike in every process
    return None if best == "en" or spoken[best] <= spoken["en"] else best


def _spoken(text: str) -> Counter[str]:
    """Count the different function words of each language, and the letters that only one has."""
    speakers = _speakers()
    is_ascii = text.isascii()
    spoken = Counter[str]() if is_ascii else Counter(_LETTERS[letter] for letter in text if letter in _LETTERS)
    found = (_ASCII_WORDS if is_ascii else _WORDS).findall(text)
    words = function_words_of_all().intersection(found)  # each once: names repeat theirs (Los Angeles)
    if len(words) > 1 or spoken or any(map(_is_telling, words)):
        spoken.update(chain.from_iterable([speakers[word] for word in words]))
    return spoken


def _is_telling(word: str) -> bool:
    """Say whether a function word is enough by itself."""
    return len(word) > 2 and len(_speakers()[word]) == 1 and word not in _OF_NAMES


@cache
def function_words_of_all() -> frozenset[str]:
    """Return the function words of all languages, in lower case."""
    return frozenset(_speakers())


FOREIGN: Final = ":"
"""The term that every text of any of these languages has: to look for one costs less than for fifteen."""


def mark(language: str) -> str:
    """Return the term that every text of a language has."""
    return f"{language}:"


class Stems:
    """Makes the terms of one language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._compounds = language in _COMPOUNDING

    def of(self, word: str) -> str:
        """Return the term of a word as it is written."""
        return mark(self._language) + self._stem(word)

    def others(self, word: str) -> list[str]:
        """Return the terms of a word's plain spellings, where they are others than its own.

        Snowball reads accents: it makes another stem of "annulee" than of "annulée".
        """
        if word.isascii() or self._language in _OTHER_SCRIPTS:
            return []
        own, plain = self.of(word), [self.of(form) for form in dict.fromkeys(spelling.plain_forms(word))]
        return [term for term in dict.fromkeys(plain) if term != own]

    def tail(self, word: str) -> str | None:
        """Return the term that a long word is found by through what it ends with: a compound's last part."""
        stem = self._stem(word)
        return self._backwards(stem) if self._compounds and len(stem) >= LONG else None

    def ending(self, word: str) -> str | None:
        """Return what the tails of compounds that end with a word begin with, None for a word that makes none."""
        stem = self._stem(word)
        return self._backwards(stem) if self._compounds and len(stem) >= PART else None

    def _stem(self, word: str) -> str:
        return _stem(self._language, word[:READ_LETTERS].lower())

    def _backwards(self, stem: str) -> str:
        return f"{mark(self._language)}:{stem[::-1]}"


@lru_cache(MOST_STEMS)  # a search asks for each of its words in every language that the namespace holds, several times
def _stem(language: str, word: str) -> str:
    return spelling.fold(_stemmer(_NAMES[language]).stemWord(word))  # one for each call: threads must not share it


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - Snowball's name


def _stemmer(name: str) -> _Stemmer:
    import Stemmer  # type: ignore[import-not-found]  # noqa: PLC0415 - 3 MB of library, for what is not English

    stemmer: _Stemmer = Stemmer.Stemmer(name)
    return stemmer
