"""Equal spellings: Unicode forms everywhere, and upper and lower case in tags."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import cast


def nfc(text: str) -> str:
    """Return the composed form (NFC): macOS decomposes accents in file names, models write them composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(tag: str) -> str:
    """Return a tag's key for comparison: case-folded NFC, so that "Straße" equals "STRASSE"."""
    return nfc(nfc(tag).casefold())


def tags_once(tags: Iterable[str]) -> list[str]:
    """Return each tag once, in its first spelling."""
    once: dict[str, str] = {}
    for tag in tags:
        once.setdefault(folded(tag), tag)
    return list(once.values())


def nfc_json(value: object) -> object:
    """Return a JSON value with all keys and strings in NFC.

    Raises:
        ValueError: two keys of an object become equal.
        RecursionError: it is nested too deeply.
    """
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, list):
        return [nfc_json(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    composed = {nfc(name): nfc_json(item) for name, item in cast("Mapping[str, object]", value).items()}
    if len(composed) < len(value):
        raise ValueError("has the same key twice, in two Unicode forms; remove one")
    return composed


def free(wanted: str, is_taken: Callable[[str], bool], longest: int | None = None) -> str:
    """Return the name, or its first `longest` characters with a number appended if it is taken."""
    numbered = (f"{wanted[:longest]}-{number}" for number in count(2))
    return wanted if not is_taken(wanted) else next(name for name in numbered if not is_taken(name))


def nfc_members(value: object) -> object:
    """Return a JSON value with all keys and strings in NFC; a key that would clash gets a number appended."""
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, list):
        return [nfc_members(item) for item in value]
    if not isinstance(value, dict):
        return value
    composed: dict[str, object] = {name: nfc_members(item) for name, item in value.items() if nfc(name) == name}
    for name, item in value.items():
        if nfc(name) != name:
            composed[free(nfc(name), composed.__contains__)] = nfc_members(item)
    return composed


def same_json(one: object, other: object) -> bool:
    """Return whether two JSON values are equal: numbers by value (1 equals 1.0, not true), keys in any order."""
    return canonical(one) == canonical(other)


def canonical(value: object) -> str:
    """Return a JSON text that is the same for all values equal by `same_json`."""
    text = json.dumps(value)
    return json.dumps(json.loads(text, parse_float=_number), sort_keys=True)


def _number(written: str) -> int | float:
    number = float(written)
    return int(number) if number.is_integer() else number
