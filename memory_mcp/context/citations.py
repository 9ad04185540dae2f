"""Checks the citations of an answer while it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

NUMBERS: Final = r"\s*(\d{1,3}(?:\s*[-–,;]\s*\d{1,3})*)\s*"
CITATION: Final = re.compile(rf"\[{NUMBERS}\]|【{NUMBERS}(?:†[^】\n]*)?】")
"""`[1]`, `[1, 3]`, `[1-3]` or `【1†lines】`; a larger number, such as a year, is none."""
RANGE: Final = re.compile(r"(\d+)\s*[-–]\s*(\d+)|(\d+)")
BEGUN: Final = r"(?:\[[\d\s,;–-]*|【[\d\s,;–-]*(?:†[^】\n]*)?)\Z"
PIECE: Final = re.compile(
    r"(?P<fence>`{3,})"
    r"|(?<!`)(?P<tick>`{1,2})(?!`)[^\n]*?(?<!`)(?P=tick)(?!`)"
    r"|(?<!\])(?<!\b[a-z])(?!(?<=\w)\[0)"  # the index of an index, of a variable; the first of anything
    rf"(?P<citations>(?:(?:{CITATION.pattern})(?!\())+(?:{BEGUN})?)"  # a link is none
    rf"|`[^\n]*\Z|{BEGUN}"
)
"""What is more than text: code, which is left as it is, citations, and at the end what may become one of them."""
END: Final = "\n\0"
"""Ends whatever may go on: a newline code, the other a list."""
SEEN_BEFORE: Final = 2
"""Characters before a piece that tell what it is."""


class Citations:
    """Marks the numbers that were not sent, and remembers the others."""

    def __init__(self, sent: Collection[int]) -> None:
        self._sent = sent
        self._before = ""
        self._held = ""
        self._in_fence = False
        self.cited: list[int] = []
        """The numbers of passages, in the order in which they were first cited."""
        self.unknown: list[int] = []
        """Numbers that no passage has; of a range its ends."""

    def checked(self, text: str) -> str:
        """Return what can be shown now; code or a citation that may go on is held back until its end."""
        text = self._before + self._held + text
        end, shown = len(self._before), ""
        for piece in PIECE.finditer(text, end):
            shown += text[end : piece.start()]
            end = piece.start()
            if piece.end() == len(text):
                break
            shown += self._shown(piece)
            end = piece.end()
        else:
            shown, end = shown + text[end:], len(text)
        self._before, self._held = text[:end][-SEEN_BEFORE:], text[end:]
        return shown

    def rest(self) -> str:
        """Return what was held back, at the end of the answer."""
        return self.checked(END).removesuffix(END)

    def _shown(self, piece: re.Match[str]) -> str:
        if piece["fence"]:
            self._in_fence = not self._in_fence
        if self._in_fence or not piece["citations"]:
            return piece[0]
        return CITATION.sub(self._written, piece[0])

    def _written(self, citation: re.Match[str]) -> str:
        parts = RANGE.findall(citation[1] or citation[2])
        return "".join(dict.fromkeys(self._part(int(first or one), int(last or one)) for first, last, one in parts))

    def _part(self, first: int, last: int) -> str:
        """Return one number, or the numbers of a range; of a range that was not sent whole, the range."""
        numbers = range(first, last + 1) or (first, last)
        missing = [number for number in numbers if number not in self._sent]
        _add(self.unknown, [end for end in (first, last) if end in missing] or missing)
        if missing:
            return f"[{first}?]" if first == last else f"[{first}-{last}?]"
        _add(self.cited, numbers)
        return "".join(f"[{number}]" for number in numbers)


def _add(known: list[int], numbers: Iterable[int]) -> None:
    known += [number for number in dict.fromkeys(numbers) if number not in known]
