"""Texts in normal form, and the atoms that they are cut into: words, numbers, signs, single Chinese characters."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_ATOMS: Final = 48
"""Of one expression: bounds the work of the parser."""

_ATOM: Final = re.compile(
    r"\d+|[\u3040-\u309f]|[\u30a0-\u30ff]+|[\u3400-\u9fff\u3005]|[^\W\d_\u3005\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]|_"
)
_DROPPED: Final = re.compile(r"(?<=\w),(?=\s)")
"""Commas after a word say nothing: "Friday, May 3, 2024"."""
_ENDING: Final = re.compile(r"(?:[,;:!?。、]|(?<!\d)\.|(?<=\d{4})\.|\s)+$")
"""What ends a sentence; the dot of "3. 5." is part of a date."""


_VULGAR: Final = re.compile("[½¼¾]")
_QUOTED: Final = re.compile(r"""^(["'“„«「])(.*)["'”“»」]$""")


def _spelt_out(found: re.Match[str]) -> str:
    """Write ½ as 1/2, away from a number before it."""
    return " " + unicodedata.normalize("NFKC", found[0]).replace("⁄", "/")


def normal(text: str) -> str:
    """Return the text in small letters, with plain digits and without accents on Latin letters."""
    folded = unicodedata.normalize("NFKC", _VULGAR.sub(_spelt_out, text)).casefold()
    plain = "".join(_plain(letter) for letter in folded).replace("’", "'").replace("‘", "'")
    plain = _QUOTED.sub(r"\2", plain.strip())
    return " ".join(_DROPPED.sub(" ", _ENDING.sub("", plain)).split())


def _plain(letter: str) -> str:
    parts = unicodedata.normalize("NFD", letter)
    return parts[0] if parts[0].isascii() else letter


def atoms(text: str) -> list[re.Match[str]]:
    """Return the atoms of a normal text.

    Raises:
        ValueError: there are none, or more than MAX_ATOMS.
    """
    found = list(_ATOM.finditer(text))
    if not found:
        raise ValueError("it is blank")
    if len(found) > MAX_ATOMS:
        raise ValueError(f"it has more than {MAX_ATOMS} words")
    return found


def is_eastern(found: list[re.Match[str]]) -> bool:
    """Whether Chinese characters or kana are among the atoms."""
    return any(atom.group()[0] >= "\u3040" and atom.group()[0] <= "\u9fff" for atom in found)


def as_written(text: str, normals: list[re.Match[str]]) -> list[str]:
    """Return the atoms of a text as they are written, or in normal form where these are others."""
    found = _ATOM.findall(unicodedata.normalize("NFKC", text))
    return found if len(found) == len(normals) else [atom.group() for atom in normals]


def phrase(text: str) -> tuple[str, ...]:
    """Return the atoms of a phrase of a vocabulary, in which dots and commas count."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return tuple(_ATOM.findall("".join(_plain(letter) for letter in folded)))
