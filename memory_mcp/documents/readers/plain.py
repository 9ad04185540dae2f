"""What every reader does to text: leaves out control characters, lone surrogates and binary data in base64."""

from __future__ import annotations

import re
from typing import Final

from memory_mcp.documents.readers.model import Refusal, RefusedError

MAX_HEADING: Final = 200
"""Characters of one heading; it stands on each of its sections."""
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_DATA: Final = re.compile(r"data:[\w.+/-]{0,100};base64,[A-Za-z0-9+/=%\s]{40,}|[A-Za-z0-9+/_-]{400,}={0,2}")
_ENDS: Final = re.compile(r"[ \t\r\xa0]+$", re.MULTILINE)
_BLANKS: Final = re.compile(r"\s+")


def plain(text: str) -> str:
    """Return a text as it is kept: its lines and indentation, no blank lines around it, nothing that is not text."""
    text = _DATA.sub("…", text) if len(text) >= 40 else text
    return _ENDS.sub("", _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))).strip("\n")


def one_line(text: str) -> str:
    """Return a text in one line, as titles, headings and cells are kept."""
    return _BLANKS.sub(" ", plain(text)).strip()


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters that says where it was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def row_of(cells: list[str]) -> str:
    """Return a row of a table in one line, without the empty cells at its end; empty where all are."""
    return " | ".join(one_line(cell) for cell in cells).rstrip(" |") if any(cells) else ""


def empty() -> RefusedError:
    """Return the refusal of a file that holds no text."""
    return RefusedError(Refusal.EMPTY, "The file holds no text. Leave it out, or save it with its text.")


def too_deep() -> RefusedError:
    """Return the refusal of a file whose nesting is beyond a bound."""
    return RefusedError(Refusal.TOO_DEEP, "The file nests its parts too deep. Save its text in another format.")
