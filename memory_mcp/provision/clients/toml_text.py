"""Edits one table of a TOML text and leaves every other byte as it is.

tomlkit writes the table, and edits texts without a table of its own: an inline table or dotted keys. It cannot edit the
others, because it takes the comments before the next table for a part of ours and removes them with it.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from typing import Final

from memory_mcp.provision.clients.entries import Entry

_HEADER: Final = re.compile(r"^[ \t]*\[.*$", re.MULTILINE)


class TomlText:
    """TOML."""

    def load(self, text: str) -> dict[str, object]:
        """Return the document."""
        return tomllib.loads(text)  # its error names the line

    def put(self, text: str, section: str, name: str, entry: Entry) -> str:
        """Return the text with the entry."""
        import tomlkit  # noqa: PLC0415 - only for Codex

        newline = "\r\n" if "\r\n" in text else "\n"
        table = tomlkit.dumps({section: {name: entry}}).replace("\n", newline)
        if place := _place(text, section, name):
            return text[: place[0]] + table + text[place[1] :]
        ended = text if not text or text.endswith("\n") else text + newline
        added = ended + (newline if ended else "") + table
        with contextlib.suppress(tomllib.TOMLDecodeError):
            tomllib.loads(added)
            return added
        document = tomlkit.parse(text)
        document[section][name] = entry
        return tomlkit.dumps(document)

    def drop(self, text: str, section: str, name: str) -> str:
        """Return the text without the entry."""
        import tomlkit  # noqa: PLC0415 - likewise

        if place := _place(text, section, name):
            before, after = text[: place[0]], text[place[1] :]
            return before + after.lstrip("\r\n") if after.strip() else _without_empty_lines(before)
        document = tomlkit.parse(text)
        del document[section][name]
        return tomlkit.dumps(document)


def _place(text: str, section: str, name: str) -> tuple[int, int] | None:
    """Return the lines of a table and its subtables; comments after them belong to the next table.

    None if there is no such table, or another table is between its parts.
    """
    headers = _headers(text)
    ours = [number for number, (_, path) in enumerate(headers) if path[:2] == (section, name)]
    if not ours or ours[-1] - ours[0] + 1 != len(ours):
        return None
    start, stop = headers[ours[0]][0], [*(at for at, _ in headers), len(text)][ours[-1] + 1]
    lines = text[start:stop].splitlines(keepends=True)
    while not lines[-1].strip() or lines[-1].lstrip().startswith("#"):
        lines.pop()
    return start, start + len("".join(lines))


def _headers(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return the line number and the table's path of every table header."""
    found = []
    for line in _HEADER.finditer(text):
        with contextlib.suppress(tomllib.TOMLDecodeError):  # part of a multi-line array
            found.append((line.start(), _path(tomllib.loads(line[0].strip()))))
    return found


def _path(header: object) -> tuple[str, ...]:
    for key, inner in header.items() if isinstance(header, dict) else ():
        return (key, *_path(inner))
    return ()


def _without_empty_lines(text: str) -> str:
    """Return a text without its trailing empty lines."""
    kept = text.rstrip("\r\n")
    return kept + text[len(kept) :].partition("\n")[0] + "\n" if kept else ""
