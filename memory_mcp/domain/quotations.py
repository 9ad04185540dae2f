"""Finds quotations in a query.

Inch and second marks and the quotes of program code look the same, so the position of the marks decides: a quotation
opens at the start of the text, after a space, or after a bracket that follows one of these (so none of 27", 5'11" and
printf("x") opens one), and closes before a space, punctuation or the end.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from memory_mcp.domain.spelling import plain_words

_CLOSED_BY: Final = {
    '"': '"',
    "“": '”“"',
    "„": '“”"',
    "”": "”",
    "«": "»",
    "»": "«»",
    "‹": "›",
    "›": "‹›",
    "「": "」",
    "『": "』",
}
"""Opening marks with their closing marks in English, German, Swedish, French, Danish, Chinese and Japanese."""
_ONE_WAY: Final = "「」『』"
"""Marks that open or close in any position."""
_SPACED: Final = "«»‹›"
"""Marks that French separates from the text by a space."""

_MARKS: Final = re.compile(f"[{''.join(_CLOSED_BY)}]")
_BEFORE: Final = re.compile(r"(?:^|\s)[(\[<]*$|[—–]$")
_AFTER: Final = re.compile(r"$|\s|[.,;:!?…)\]}>/—–-]|['’]s\b")
_BETWEEN: Final = frozenset({",", ";", "/", "|"})
"""Separators of quotations that need no space."""
_MEMBERS: Final = re.compile(r'(?<![^\s{\[,])"[^"\n]*"\s?:(?:\s*"[^"\n]*")?')
"""Members of a JSON object, which are code: a quoted name, a colon and a value."""


def quotations(text: str) -> tuple[list[str], str]:
    """Return a text's quotations, and the text without them; a quotation must contain a word."""
    text = _MEMBERS.sub(lambda member: member[0].replace('"', " "), text.replace("＂", '"'))
    quoted: list[str] = []
    rest, place = "", 0
    unclosed: set[str] = set()
    for opening in _MARKS.finditer(text):
        start, mark = opening.end(), opening[0]
        if start <= place or mark in unclosed or not _opens(text, opening.start(), place if quoted else None):
            continue
        end = _end(text, start)
        if end is None:
            unclosed.add(mark)  # skip later ones: hostile texts have thousands
        elif plain_words(text[start:end]):
            quoted.append(text[start:end].strip())
            rest += text[place : start - 1] + " "
            place = end + 1
    return quoted, rest + text[place:]


def _opens(text: str, at: int, last: int | None) -> bool:
    """Return whether the mark at `at` may open a quotation; `last` is the end of the previous one."""
    mark, following = text[at], text[at + 1 : at + 2]
    if following in _CLOSED_BY or not following or (following.isspace() and mark not in _SPACED):
        return False
    before = text[max(0, at - 8) : at]
    is_next = last is not None and text[last:at] in _BETWEEN
    return mark in _ONE_WAY or is_next or bool(_BEFORE.search(before)) or _needs_no_blank(before[-1:])


def _end(text: str, start: int) -> int | None:
    """Return the position of the mark that closes the quotation whose text begins at `start`."""
    mark = text[start - 1]
    closing = re.compile(f"[{_CLOSED_BY[mark]}]")
    return next((found.start() for found in closing.finditer(text, start + 1) if _closes(text, found.start())), None)


def _closes(text: str, at: int) -> bool:
    mark, before, after = text[at], text[at - 1], text[at + 1 : at + 2]
    if before == "\\" or (before.isspace() and mark not in _SPACED):
        return False
    return mark in _ONE_WAY or bool(_AFTER.match(text, at + 1)) or _needs_no_blank(after)


def _needs_no_blank(neighbour: str) -> bool:
    """Return whether a character's script has no spaces between words, such as Chinese, Japanese or Thai."""
    if not neighbour or neighbour.isdigit():
        return False
    return unicodedata.east_asian_width(neighbour) in "WF" or bool(
        re.match("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]", neighbour)
    )
