"""Arrays and objects that a client sends as JSON text: tags='["a","b"]', metadata='{"a":1}'."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic_core import from_json

MAX_LAYERS: Final = 3
"""How often a text may be JSON of a text of JSON; clients were seen to encode twice."""

WANTED_TAGS: Final = 'give an array of strings, such as ["home", "work"], or words separated by commas'
WANTED_OBJECT: Final = 'give a JSON object, such as {"project": "x"}'
WANTED_ITEMS: Final = 'give an array of objects, such as [{"content": "…"}]'

JSON_ARGUMENTS: Final = frozenset({"tags", "metadata", "items"})
"""The arguments that are arrays or objects, in every tool that has them."""

_ARRAY: Final = re.compile(r'\s*\[\s*"')
_OBJECT: Final = re.compile(r'\s*\{\s*"')
"""How no tag begins that is not JSON; [draft] is one."""


def is_left_out(name: str, value: object) -> bool:
    """Whether an optional argument's value means none: models fill in arguments that they do not want with blanks."""
    if not isinstance(value, str):
        return False
    bare = value.strip()
    return not bare or (bare == "null" and name in JSON_ARGUMENTS)


def as_object(value: object) -> dict[str, object]:
    """Return an object, or the one that a text holds as JSON.

    Raises:
        ValueError: it is neither.
    """
    found = _decoded(value, WANTED_OBJECT) if isinstance(value, str) else value
    if isinstance(found, dict):
        return found
    raise ValueError(WANTED_OBJECT)


def as_items(value: object) -> list[object]:
    """Return a list, or the one that a text holds as JSON; a single object is a list of one.

    Raises:
        ValueError: it is none of these.
    """
    found = _decoded(value, WANTED_ITEMS) if isinstance(value, str) else value
    if isinstance(found, dict | list):
        return [found] if isinstance(found, dict) else found
    raise ValueError(WANTED_ITEMS)


def as_tags(value: object) -> list[object]:
    """Return the tags of a JSON array, of words separated by commas, or of a list whose elements may be JSON arrays.

    An element of a list that is no JSON array of texts is a tag as it stands: it may contain commas and brackets.

    Raises:
        ValueError: it is of another kind, or a text that begins like JSON and is not an array of texts.
    """
    if isinstance(value, str):
        return _tags_of_text(value)
    if isinstance(value, list):
        return _tags_of_list(value)
    raise ValueError(WANTED_TAGS)


def _tags_of_text(text: str) -> list[object]:
    bare = text.strip()
    if bare.startswith(("[", "{")):
        found = _decoded(bare, WANTED_TAGS)
        if isinstance(found, list):
            return _tags_of_list(found)
        raise ValueError(WANTED_TAGS)
    quoted = _parsed(f"[{bare}]") if bare.startswith('"') else None  # one JSON string, or several with commas
    return _tags_of_list(quoted if isinstance(quoted, list) else text.split(","))


def _tags_of_list(elements: Sequence[object]) -> list[object]:
    """Return the tags of a list, in which JSON text may stand whole or split at its commas.

    Raises:
        ValueError: an element begins with [" or {" and is no array of texts, nor are the next ones with it.
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
            text = ",".join([text, *_until_closed(rest)])
        found = _parsed(text)
        if isinstance(found, list) and all(isinstance(tag, str) for tag in found):
            tags += found
        elif _ARRAY.match(text):
            raise ValueError(WANTED_TAGS)
        else:
            tags.append(text)
    return tags


def _until_closed(elements: Iterator[object]) -> Iterator[str]:
    """Yield the next elements up to the one that ends a JSON array."""
    for element in elements:
        yield str(element)
        if str(element).rstrip().endswith("]"):
            return


def _decoded(text: str, wanted: str) -> object:
    """Return what a text is as JSON, of JSON text within JSON text the innermost."""
    found: object = text
    for _ in range(MAX_LAYERS):
        if not isinstance(found, str):
            break
        found = _parsed(found)
    if found is None or isinstance(found, str):
        raise ValueError(wanted)
    return found


def _parsed(text: str) -> object:
    """Return what a text is as JSON, or None; lone surrogates, infinities and endless depth are no JSON here."""
    try:
        found: object = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    return found
