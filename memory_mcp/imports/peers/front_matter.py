"""Front matter: the part of YAML that people and programs write at the head of a note. Nothing beyond it is guessed."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 16_384
"""Characters; metadata has a bound as well."""
MAX_DEPTH: Final = 20
FENCE: Final = "---"
_MEMBER: Final = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'\[\]{}#&*!|>%@`,-][^:]*?)[ \t]*:(?:[ \t]+(.*))?""")
_BLOCK_TEXT: Final = re.compile(r"([|>])[+-]?")
_DOUBLE: Final = re.compile(r'("(?:[^"\\]|\\.)*")(?:\s+#.*)?', re.DOTALL)
_SINGLE: Final = re.compile(r"'((?:[^']|'')*)'(?:\s+#.*)?", re.DOTALL)
_TOKEN: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\],]|[^\[\],\s][^\[\],]*)""")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?")
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_BEGINS_OTHER: Final = tuple("&*!|>%@`{}],[")
"""What begins something else than a plain text: an anchor, a tag, a mapping in braces."""


class NotYamlError(ValueError):
    """It is no YAML, or more of it than is read here."""


def split(text: str) -> tuple[str | None, str]:
    """Return the front matter of a note, None if it has none, and what follows it."""
    lines = text.split("\n")
    if lines[0].rstrip() == FENCE:
        for number, line in enumerate(lines[1:], 1):
            if line.rstrip() == FENCE:
                return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    return None, text


def parsed(written: str) -> dict[str, object]:
    """Return the members of a front matter; dates stay texts.

    Raises:
        NotYamlError: it is no mapping that is understood.
    """
    if len(written) > MAX_LENGTH:
        raise NotYamlError
    lines = _Lines([line.replace("\t", "    ") for line in written.split("\n")])
    if lines.peek() is None:
        return {}
    members = lines.mapping(0, 0)
    if lines.peek() is not None:
        raise NotYamlError
    return members


@dataclass(slots=True)
class _Lines:
    lines: list[str]
    at: int = 0

    def peek(self) -> tuple[int, str] | None:
        """Return the indentation and the text of the next line that says something; None at the end."""
        while self.at < len(self.lines):
            text = self.lines[self.at].strip()
            if text and not text.startswith("#"):
                return len(self.lines[self.at]) - len(self.lines[self.at].lstrip()), text
            self.at += 1
        return None

    def mapping(self, indent: int, depth: int) -> dict[str, object]:
        members: dict[str, object] = {}
        while (line := self.peek()) is not None and line[0] >= indent:
            match = _MEMBER.fullmatch(line[1])
            if line[0] > indent or match is None or depth > MAX_DEPTH:
                raise NotYamlError
            name = match[1].strip("\"'")
            if name in members:
                raise NotYamlError
            self.at += 1
            members[name] = self._value(match[2] or "", indent, depth)
        return members

    def _value(self, rest: str, indent: int, depth: int) -> object:
        """Return what follows a name, on its line or below it."""
        rest = "" if rest.startswith("#") else rest.strip()
        if header := _BLOCK_TEXT.fullmatch(rest):
            return self._block_text(header[1], indent)
        if rest:
            return scalar(self._continued(rest, indent))
        line = self.peek()
        if line is None or line[0] < indent or (line[0] == indent and not _is_item(line[1])):
            return None
        return self.list(line[0], depth + 1) if _is_item(line[1]) else self.mapping(line[0], depth + 1)

    def list(self, indent: int, depth: int) -> list[object]:
        items: list[object] = []
        while (line := self.peek()) is not None and line[0] == indent and _is_item(line[1]):
            if depth > MAX_DEPTH:
                raise NotYamlError
            rest = line[1][1:].lstrip()
            if _MEMBER.fullmatch(rest):  # a mapping that begins on the item's line
                inner = indent + len(line[1]) - len(rest)
                self.lines[self.at] = " " * inner + rest
                items.append(self.mapping(inner, depth + 1))
                continue
            self.at += 1
            items.append(self._value(rest, indent + 1, depth))
        return items

    def _continued(self, first: str, indent: int) -> str:
        """Return a text with the lines that continue it."""
        parts = [first]
        while (line := self.peek()) is not None and line[0] > indent:
            parts.append(line[1])
            self.at += 1
        return " ".join(parts)

    def _block_text(self, style: str, indent: int) -> str:
        held: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            held.append(line)
            self.at += 1
        left = min((len(line) - len(line.lstrip()) for line in held if line.strip()), default=0)
        return ("\n" if style == "|" else " ").join(line[left:] for line in held).rstrip()


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def scalar(written: str) -> object:
    """Return a value that stands on one line.

    Raises:
        NotYamlError: it is none.
    """
    if written.startswith('"'):
        return _double(written)
    if written.startswith("'"):
        if match := _SINGLE.fullmatch(written):
            return match[1].replace("''", "'")
        raise NotYamlError
    written = re.sub(r"(?:^|\s+)#.*", "", written, flags=re.DOTALL)
    if written.startswith("[") and written.endswith("]"):
        return _flow_list(written)
    if written == "{}":
        return {}
    if written.startswith(_BEGINS_OTHER) or ": " in written or written.endswith(":"):
        raise NotYamlError
    return _plain(written)


def _double(written: str) -> str:
    match = _DOUBLE.fullmatch(written)
    try:
        return str(json.loads(match[1], strict=False)) if match else _refuse()
    except json.JSONDecodeError as error:
        raise NotYamlError from error


def _refuse() -> str:
    raise NotYamlError


def _plain(written: str) -> object:
    word = written.lower()
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(written):
        return int(written)
    if _FLOAT.fullmatch(written) and math.isfinite(number := float(written)):
        return number
    return written


def _flow_list(written: str) -> object:
    """Return a list in brackets, which may hold others."""
    open_: list[list[object]] = [[]]
    for part in (match[1].strip() for match in _TOKEN.finditer(written)):
        if part == "[":
            open_.append([])
        elif part == "]" and len(open_) > 1:
            closed = open_.pop()
            open_[-1].append(closed)
        elif part != ",":
            open_[-1].append(scalar(part))
        if len(open_) > MAX_DEPTH:
            raise NotYamlError
    if len(open_) > 1 or len(open_[0]) != 1:
        raise NotYamlError
    return open_[0][0]
