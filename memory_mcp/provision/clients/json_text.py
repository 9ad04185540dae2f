"""Edits one member of a JSON text, with or without comments, and leaves every other byte as it is.

No maintained Python library does this: json-five ignores the layout when it adds a member and accepts syntax that
clients reject, jsonc-edit needs Node, and the others only parse.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from memory_mcp.provision.clients.entries import Entry
from memory_mcp.provision.clients.formats import BrokenTextError

_DECODER: Final = json.JSONDecoder()
_COMMENT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?P<away>//[^\r\n]*|/\*.*?\*/)', re.DOTALL)
_COMMA: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[{,:]\s*,|(?P<away>,)(?=\s*[}\]])')
_NOT_BLANK: Final = re.compile(r"\S")
_EMPTY: Final = "{}\n"
_NULL: Final = "null"


@dataclass(frozen=True)
class _Member:
    """Offsets of a member: the quote of its key, its value, and the end of the value."""

    key: str
    start: int
    value: int
    end: int


@dataclass(frozen=True)
class JsonText:
    """JSON; with `comments` also what VS Code and Zed accept: comments, and a comma after the last member."""

    comments: bool = False

    def load(self, text: str) -> dict[str, object]:
        """Return the document."""
        if self._is_empty(text):
            return {}
        try:
            document = json.loads(self._strict(text), parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise BrokenTextError(f"line {error.lineno}: {error.msg if self.comments else _reason(error)}") from error
        except RecursionError as error:
            raise BrokenTextError("it is nested too deeply") from error
        if not isinstance(document, dict):
            raise BrokenTextError("line 1: it is not an object")
        return document

    def put(self, text: str, section: str, name: str, entry: Entry | list[object]) -> str:
        text = self._with_object(text) if self._is_empty(text) else text
        strict = self._strict(text)
        root = _skip(strict, 0)
        held = _find(strict, root, section)
        if held is None:
            return self._insert(text, root, section, {name: entry})
        if _is_null(strict, held):
            return _replaced(text, strict, held, {name: entry})
        if (old := _find(strict, held.value, name)) is None:
            return self._insert(text, held.value, name, entry)
        held_entry = json.loads(strict[old.value : old.end])
        if isinstance(held_entry, dict) and isinstance(entry, dict) and held_entry.keys() == entry.keys():
            return self._with_values(text, old.value, entry)  # keeps the user's comments in it
        return _replaced(text, strict, old, entry)

    def drop(self, text: str, section: str, name: str) -> str:
        strict, bare = self._strict(text), self._bare(text)
        held = _find(strict, _skip(strict, 0), section)
        member = held and not _is_null(strict, held) and _find(strict, held.value, name)
        if not held or not member:
            raise BrokenTextError(f"there is no {section}.{name}")
        before, after = len(bare[: member.start].rstrip()) - 1, _skip(bare, member.end)
        if bare[after] == ",":
            return _cut(text, member.start, after + 1)
        shorter = _cut(text, member.start, member.end)
        if bare[before] == ",":
            return shorter[:before] + shorter[before + 1 :]
        close = _members(self._strict(shorter), held.value)[1]
        return shorter if shorter[held.value + 1 : close].strip() else shorter[: held.value + 1] + shorter[close:]

    def _is_empty(self, text: str) -> bool:
        """Whether a text is empty or null, apart from comments."""
        return self._strict(text).strip() in {"", _NULL}

    def _with_object(self, text: str) -> str:
        """Put an object into an empty text, and keep its comments."""
        strict = self._strict(text)
        if at := strict.find(_NULL) + 1:
            return text[: at - 1] + "{}" + text[at - 1 + len(_NULL) :]
        above = text.rstrip()
        return above + (_newline(text) if above else "") + _EMPTY

    def _with_values(self, text: str, at: int, entry: Entry) -> str:
        """Replace the values that differ in the object that begins at `at` and has the same keys."""
        strict = self._strict(text)
        for member in reversed(_members(strict, at)[0]):
            if json.loads(strict[member.value : member.end]) != entry[member.key]:
                text = _replaced(text, strict, member, entry[member.key])
        return text

    def _insert(self, text: str, at: int, key: str, value: object) -> str:
        """Add a last member to the object that begins at `at`."""
        found, close = _members(self._strict(text), at)
        place = len(text[:close].rstrip())  # behind the last member, its comma and any comment
        member = self._member(text, at, key, value)
        if not found:
            tail = text[place:close]
            return text[:place] + member + (tail if "\n" in tail else _newline(text) + _indent(text, at)) + text[close:]
        last = found[-1].end
        if "," in self._bare(text)[last:close]:
            return f"{text[:place]}{member},{text[place:]}"
        return f"{text[:last]},{text[last:place]}{member}{text[place:]}"

    def _member(self, text: str, at: int, key: str, value: object) -> str:
        """Render a member, and the blanks before it, in the layout of the object that begins at `at`."""
        strict = self._strict(text)
        found, close = _members(strict, at)
        if found and "\n" not in text[at:close]:
            return f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        unit, newline = _unit(text, strict), _newline(text)
        has_lines = found and "\n" in text[at : found[0].start]
        indent = _indent(text, found[0].start) if has_lines else _indent(text, at) + unit
        return f"{newline}{indent}{json.dumps(key)}: {_render(value, unit, indent, newline)}"

    def _bare(self, text: str) -> str:
        """Return the text with blanks in place of comments, so that offsets stay the same."""
        return _COMMENT.sub(_blanks, text) if self.comments else text

    def _strict(self, text: str) -> str:
        """Return the text as strict JSON: trailing commas are replaced by blanks as well."""
        return _COMMA.sub(_blanks, self._bare(text)) if self.comments else text


def comments_of(text: str) -> list[str]:
    """Return the comments of a text, in order."""
    return [match["away"] for match in _COMMENT.finditer(text) if match["away"] is not None]


def _blanks(match: re.Match[str]) -> str:
    """Replace the group `away` by blanks; a match without that group stays as it is."""
    return match[0] if match["away"] is None else re.sub(r"[^\r\n]", " ", match[0])


def _reason(error: json.JSONDecodeError) -> str:
    """Say what is wrong; the decoder's own message does not mention comments."""
    is_comment = error.doc.startswith(("//", "/*"), error.pos)
    return "it has a comment, which its client does not accept" if is_comment else error.msg


def _refuse_constant(name: str) -> float:
    raise BrokenTextError(f"{name} is not JSON")


def _skip(text: str, at: int) -> int:
    found = _NOT_BLANK.search(text, at)
    return found.start() if found else len(text)


def _members(strict: str, at: int) -> tuple[list[_Member], int]:
    """Return the members of the object that begins at `at`, and where its brace closes."""
    found: list[_Member] = []
    at = _skip(strict, at + 1)
    while strict[at] != "}":
        key, end = _DECODER.raw_decode(strict, at)
        value = _skip(strict, _skip(strict, end) + 1)
        _, end = _DECODER.raw_decode(strict, value)
        found.append(_Member(key, at, value, end))
        at = _skip(strict, end)
        at = _skip(strict, at + 1) if strict[at] == "," else at
    return found, at


def _find(strict: str, at: int, key: str) -> _Member | None:
    """Return the member of a key.

    Raises:
        BrokenTextError: the key is there twice, and readers differ in which one counts.
    """
    found = [member for member in _members(strict, at)[0] if member.key == key]
    if len(found) > 1:
        raise BrokenTextError(f"line {strict.count(chr(10), 0, found[1].start) + 1}: {key} appears twice")
    return found[0] if found else None


def _is_null(strict: str, member: _Member) -> bool:
    return strict[member.value : member.end] == _NULL


def _cut(text: str, start: int, end: int) -> str:
    """Remove a member with the blanks before it, unless a line comment before it would then swallow what follows."""
    blanks = len(text[:start].rstrip())
    comment = any(found.end() == blanks and found[0].startswith("//") for found in _COMMENT.finditer(text))
    follows = text[end:].partition("\n")[0].strip()
    return text[: start if comment and follows else blanks] + text[end:]


def _indent(text: str, at: int) -> str:
    """Return the indentation of the line that contains an offset."""
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str, strict: str) -> str:
    """Return the indentation of one level: that of the document's first member, else two blanks."""
    found, _ = _members(strict, _skip(strict, 0))
    return (_indent(text, found[0].start) if found and "\n" in text[: found[0].start] else "") or "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _replaced(text: str, strict: str, member: _Member, value: object) -> str:
    written = _render(value, _unit(text, strict), _indent(text, member.start), _newline(text))
    return text[: member.value] + written + text[member.end :]


def _render(value: object, unit: str, indent: str, newline: str) -> str:
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return (newline + indent).join(lines)
