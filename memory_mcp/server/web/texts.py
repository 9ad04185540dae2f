"""The catalogue of the page's English texts: `texts.toml`, which the browser gets as JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("texts.toml")

TextEntry = str | Mapping[str, "TextEntry"]
"""A text, a text for one and another for more (`one`, `other`), or a section of entries."""


@cache
def catalogue() -> Mapping[str, TextEntry]:
    """Return all texts by section."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@cache
def as_json() -> bytes:
    """Return the catalogue for the browser."""
    return json.dumps(catalogue(), ensure_ascii=False, separators=(",", ":")).encode()


def text(key: str, **values: object) -> str:
    """Return a text with its values filled in; `count` chooses between one and other.

    Raises:
        KeyError: the catalogue has no such text, or a value is missing.
    """
    found: TextEntry = catalogue()
    for part in key.split("."):
        found = found[part] if isinstance(found, Mapping) else ""
    if isinstance(found, Mapping):
        found = found["one" if values["count"] == 1 else "other"]
    if not (isinstance(found, str) and found):
        raise KeyError(key)
    return found.format_map({name: _shown(value) for name, value in values.items()})


def _shown(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
