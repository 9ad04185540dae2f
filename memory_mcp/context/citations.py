"""Checks the citations of an answer while it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

LONGEST: Final = 60
"""Characters between the brackets of a citation."""
NUMBERS: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*[-–,;]\s*\d{1,3})*)\s*\]")
"""`[1]`, `[1, 3]` or `[1-3]`; a larger number, such as a year, is none."""
UNFINISHED: Final = re.compile(rf"\[[\d\s,;–-]{{0,{LONGEST}}}\Z")
RANGE: Final = re.compile(r"(\d+)\s*[-–]\s*(\d+)|(\d+)")


class Citations:
    """Marks the numbers that were not sent, and remembers the others."""

    def __init__(self, sent: Collection[int]) -> None:
        self._sent = sent
        self._held = ""
        self.cited: list[int] = []
        """The numbers of passages, in the order in which they were first cited."""
        self.unknown: list[int] = []
        """Numbers that no passage has."""

    def checked(self, text: str) -> str:
        """Return what can be shown now; the beginning of a citation is held back until its end."""
        text = self._held + text
        unfinished = UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return NUMBERS.sub(self._written, text[:end])

    def rest(self) -> str:
        """Return what was held back, at the end of the answer."""
        held, self._held = self._held, ""
        return held

    def _written(self, citation: re.Match[str]) -> str:
        if len(citation[0]) > LONGEST:
            return citation[0]
        return "".join(map(self._number, dict.fromkeys(_numbers(citation[1]))))

    def _number(self, number: int) -> str:
        is_sent = number in self._sent
        numbers = self.cited if is_sent else self.unknown
        if number not in numbers:
            numbers.append(number)
        return f"[{number}]" if is_sent else f"[{number}?]"


def _numbers(listed: str) -> Iterator[int]:
    for first, last, single in RANGE.findall(listed):
        yield from [int(single)] if single else range(int(first), int(last) + 1) or [int(first), int(last)]
