"""Arrays and objects that a client sends as JSON text: tags='["a","b"]', metadata='{"a":1}'."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic_core import from_json

MAX_LAYERS: Final = 3
"""Maximum levels of JSON encoded as a JSON string; some clients encode twice."""

WANTED_TAGS: Final = 'give an array of strings, such as ["home", "work"], or words separated by commas'
WANTED_OBJECT: Final = 'give a JSON object, such as {"project": "x"}'
WANTED_ITEMS: Final = 'give an array of objects, such as [{"content": "…"}]'

JSON_ARGUMENTS: Final = frozenset({"tags", "metadata", "items"})
"""The arguments that are arrays or objects, in every tool."""

_ARRAY: Final = re.compile(r'\s*\[\s*"')
_OBJECT: Final = re.compile(r'\s*\{\s*"')
"""A tag that begins like this is JSON; [draft] is an ordinary tag."""


def is_left_out(name: str, value: object) -> bool:
    """Whether an optional argument counts as left out: models fill unwanted arguments with blanks."""
    if not isinstance(value, str):
        return False
    bare = value.strip()
    return not bare or (bare == "null" and name in JSON_ARGUMENTS)


def as_object(value: object) -> dict[str, object]:
    """Return an object, parsed if it is JSON text.

    Raises:
        ValueError: it is neither.
    """
    parsed = _decoded(value, WANTED_OBJECT) if isinstance(value, str) else value
    if isinstance(parsed, dict):
        return parsed
    raise ValueError(WANTED_OBJECT)


def as_items(value: object) -> list[object]:
    """Return a list, parsed if it is JSON text; a single object becomes a list of one.

    Raises:
        ValueError: it is none of these.
    """
    parsed = _decoded(value, WANTED_ITEMS) if isinstance(value, str) else value
    if isinstance(parsed, dict | list):
        return [parsed] if isinstance(parsed, dict) else parsed
    raise ValueError(WANTED_ITEMS)


def as_tags(value: object) -> list[object]:
    """Return the tags from a JSON array, comma-separated words, or a list whose elements may be JSON arrays.

    A list element that is not a JSON array of strings is one tag; it may contain commas and brackets.

    Raises:
        ValueError: another type, or text that begins like JSON but is not an array of strings.
    """
    if isinstance(value, str):
        return _tags_of_text(value)
    if isinstance(value, list):
        return _tags_of_list(value)
    raise ValueError(WANTED_TAGS)


def tags_text(tags: Sequence[str]) -> str:
    """Return text that `as_tags` reads as these tags: words separated by commas, or JSON where one has a comma."""
    plain = ", ".join(tags)
    is_plain = plain != "null" and not any(mark in tag for tag in tags for mark in ',"[{')
    return plain if is_plain else json.dumps(list(tags), ensure_ascii=False)


def _tags_of_text(text: str) -> list[object]:
    bare = text.strip()
    if bare.startswith(("[", "{")):
        parsed = _decoded(bare, WANTED_TAGS)
        if isinstance(parsed, list):
            return _tags_of_list(parsed)
        raise ValueError(WANTED_TAGS)
    quoted = _parsed(f"[{bare}]") if bare.startswith('"') else None  # one JSON string, or several with commas
    return _tags_of_list(quoted if isinstance(quoted, list) else text.split(","))


def _tags_of_list(elements: Sequence[object]) -> list[object]:
    """Return the tags from a list, which may contain JSON text whole or split at its commas.

    Raises:
        ValueError: an element begins with [" or {" but is not an array of strings, even joined with the next ones.
    """
    tags: list[object] = []
    rest = iter(elements)
    for element in rest:
        if not isinstance(element, str) or not element.lstrip().startswith("["):
            if isinstance(element, str) and _OBJECT.match(element):
                raise ValueError(WANTED_TAGS)
            tags.append(element)
            continue
        text = element
        if _ARRAY.match(text) and not text.rstrip().endswith("]"):
            text = ",".join([text, *_rest_of_array(rest)])
        parsed = _parsed(text)
        if isinstance(parsed, list) and all(isinstance(tag, str) for tag in parsed):
            tags += parsed
        elif _ARRAY.match(text):
            raise ValueError(WANTED_TAGS)
        else:
            tags.append(text)
    return tags


def _rest_of_array(elements: Iterator[object]) -> Iterator[str]:
    """Yield elements up to the one that closes a JSON array."""
    for element in elements:
        yield str(element)
        if str(element).rstrip().endswith("]"):
            return


def _decoded(text: str, wanted: str) -> object:
    """Parse JSON text; JSON nested as strings is parsed to the innermost."""
    value: object = text
    for _ in range(MAX_LAYERS):
        if not isinstance(value, str):
            break
        value = _parsed(value)
    if value is None or isinstance(value, str):
        raise ValueError(wanted)
    return value


def _parsed(text: str) -> object:
    """Parse JSON text, or return None; lone surrogates, infinities and excessive depth are not JSON here."""
    try:
        value: object = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    return value
