"""What the exports of ChatGPT and Claude share: JSON files of any size, and saved memories in Markdown."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from memory_mcp.documents.readers import json_
from memory_mcp.documents.readers.json_ import Json, as_dict
from memory_mcp.imports.model import Remark, Source, UnreadableError

CONVERSATIONS: Final = "conversations"
"""What `--also` asks for."""
LEFT_OUT: Final = Remark("lost", "conversations are left out; take them with --also conversations")
CUT_OFF: Final = "the file ends early; export it again"
_HEAD: Final = 4096
_HEADING: Final = re.compile(r"#{1,6}\s+(.+?)\s*#*|(?P<stars>\*{1,2})([^*]+?):?(?P=stars):?")
_BULLET: Final = re.compile(r"(?:[-*+\u2022]|\d{1,3}[.)])\s+(.*)")


def objects(source: Source) -> Iterator[tuple[Path, dict[str, Json]] | Remark]:
    """Yield the objects of all files, one in memory at a time; a file that was cut off is named.

    Raises:
        UnreadableError: a file that the user named is no JSON.
    """
    for path in source.files():
        found = False
        try:
            for held in _of_file(path):
                found = True
                yield path, held
        except json_.BROKEN as error:
            if path == source.path and not found:
                raise UnreadableError(f"{path.name} is no JSON; give the export's zip, folder or .json") from error
            yield Remark("bad", CUT_OFF, path.name)


def _of_file(path: Path) -> Iterator[dict[str, Json]]:
    """Yield the objects of an array, or the one that stands alone."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
        is_array = head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
        yield from filter(None, map(as_dict, json_.items(file, encoding, "item" if is_array else "")))


def pieces(markdown: str) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs and list items of a text, each with the headings above it."""
    headings: list[str] = []
    held: list[str] = []
    for line in (*markdown.split("\n"), ""):
        heading, bullet = _HEADING.fullmatch(line.strip()), _BULLET.fullmatch(line)
        if held and (heading or bullet or not line.strip()):
            yield " / ".join(headings), "\n".join(held)
            held = []
        if heading:
            name = heading[1] or heading[3]
            headings = [*headings[:1], name] if heading["stars"] == "*" else [name]
        elif bullet:
            held = [bullet[1]]
        elif line.strip():
            held.append(line.rstrip())
