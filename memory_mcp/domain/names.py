"""Which spellings are one: Unicode's two forms of a letter everywhere, and upper and lower case in tags."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import cast


def nfc(text: str) -> str:
    """Return the composed form (Unicode NFC): macOS hands out names with accents apart, models write them composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(tag: str) -> str:
    """Return what a tag is compared by: its full case folding, composed, so that "Straße" is "STRASSE"."""
    return nfc(nfc(tag).casefold())


def tags_once(tags: Iterable[str]) -> list[str]:
    """Return each tag once, in the spelling that comes first."""
    once: dict[str, str] = {}
    for tag in tags:
        once.setdefault(folded(tag), tag)
    return list(once.values())


def nfc_json(value: object) -> object:
    """Return a JSON value with all names and texts in it composed.

    Raises:
        ValueError: two members of an object have one name then.
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
        raise ValueError("has one member twice, spelled in two forms of Unicode; leave one out")
    return composed


def same_json(one: object, other: object) -> bool:
    """Say whether two JSON values are equal: numbers by what they count (1 is 1.0, not true), members in any order."""
    return _comparable(one) == _comparable(other)


def _comparable(value: object) -> str:
    text = json.dumps(value)
    return json.dumps(json.loads(text, parse_float=_number), sort_keys=True)


def _number(written: str) -> int | float:
    number = float(written)
    return int(number) if number.is_integer() else number
