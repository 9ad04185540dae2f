"""Chooses what stands in a block: in the order of the ranking, skipping what does not fit.

Of nine ways that were tried on conversations, this one kept the most evidence at 500, 1,000 and 2,000 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from memory_mcp.context import rendering
from memory_mcp.context.duplicates import Fingerprint
from memory_mcp.context.models import ContextItem, Evidence
from memory_mcp.context.tokens import bound
from memory_mcp.domain.models import Neighbours

FRAME: Final = f"{rendering.OPENING}\n{rendering.CLOSING}"
FEWEST: Final = 5
"""Tokens of the shortest part: its number, a word, the end of its line."""
FEWEST_OF_PASSAGE: Final = 60
"""Tokens of the shortest passage of a long text, about."""
PATIENCE: Final = 25
"""Parts in a row that do not fit, after which no other is tried."""
_ANY_NUMBER: Final = 999
"""Costs what each number below costs, or more."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A block's text, its parts, and what there was no room for."""

    text: str
    tokens: int
    items: tuple[ContextItem, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may stand in a block, the best first."""

    ranked: Sequence[Evidence]
    beside: Mapping[int, Sequence[Evidence]] = field(default_factory=dict)
    """The neighbours that the first hits bring along, by the hit's key."""
    following: Mapping[int, Neighbours] = field(default_factory=dict)
    """What stands before and after each, by its key."""


class _Choice:
    """What was chosen, and what it costs together."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._spent = bound(FRAME)
        self._headers = set[str]()
        self._prints: list[Fingerprint] = []
        self._keys = set[int]()
        self._misses = 0
        self.chosen: list[tuple[Evidence, int]] = []
        """With what each costs."""
        self.left_out = 0

    def add(self, evidence: Evidence, *, is_hit: bool = True) -> bool:
        """Take a part unless it stands there already; say whether it is there now."""
        if evidence.key is not None and evidence.key in self._keys:
            return True
        if self._is_hopeless(evidence):
            return self._skip(is_hit=is_hit)
        shown = evidence.shown()
        mark = Fingerprint.of(shown.text)
        if any(mark.is_like(other) for other in self._prints):
            return False
        head = rendering.header(shown)
        cost = bound(f"{rendering.part(_ANY_NUMBER, [shown])}\n")
        under = 0 if head in self._headers else bound(f"{head}\n")
        if self._spent + cost + under > self._max_tokens:
            return self._skip(is_hit=is_hit)
        self._spent += cost + under
        self._misses = 0
        self._headers.add(head)
        self._prints.append(mark)
        self._keys.update(() if evidence.key is None else (evidence.key,))
        self.chosen.append((shown, cost))
        return True

    def _is_hopeless(self, evidence: Evidence) -> bool:
        """Say whether it cannot fit, as can be seen without reading it."""
        least = FEWEST if evidence.passage is None else FEWEST_OF_PASSAGE
        return self._spent + least > self._max_tokens or self._misses >= PATIENCE

    def _skip(self, *, is_hit: bool) -> bool:
        self._misses += is_hit
        self.left_out += is_hit
        return False

    def drop(self) -> None:
        """Take back the last part that was chosen."""
        self.chosen.pop()
        self.left_out += 1


def pack(candidates: Candidates, max_tokens: int) -> Packed:
    """Return the block of what fits."""
    choice = _Choice(max_tokens)
    for evidence in candidates.ranked:
        if choice.add(evidence) and evidence.key is not None:
            for beside in candidates.beside.get(evidence.key, ()):
                choice.add(beside, is_hit=False)
    packed = _written(choice, candidates.following)
    while packed.tokens > max_tokens:  # lines together cost no more than each alone, but for pieces nobody has seen
        choice.drop()
        packed = _written(choice, candidates.following)
    return packed


def _written(choice: _Choice, following: Mapping[int, Neighbours]) -> Packed:
    groups: list[tuple[str, list[str]]] = []
    items: list[ContextItem] = []
    number = 0
    costs = {id(evidence): cost for evidence, cost in choice.chosen}
    for head, parts in _grouped([evidence for evidence, _ in choice.chosen]):
        written = []
        for span in _spans(parts, following):
            number += 1
            written.append(rendering.part(number, span))
            items += [_item(number, each, costs[id(each)]) for each in span]
        groups.append((head, written))
    text = rendering.block(groups)
    return Packed(text, bound(text), tuple(items), choice.left_out)


def _grouped(chosen: Sequence[Evidence]) -> list[tuple[str, list[Evidence]]]:
    """Return the parts under their headers: the newest day first, what has no date last, a conversation in order."""

    def day(evidence: Evidence) -> tuple[int, float]:
        return (0, 0.0) if evidence.at is None else (-1, -evidence.at.timestamp())

    by_header: dict[str, list[Evidence]] = {}
    for evidence in chosen:
        by_header.setdefault(rendering.header(evidence), []).append(evidence)
    place = {head: (min(each.order for each in parts), min(map(day, parts))) for head, parts in by_header.items()}
    return [(head, _in_order(by_header[head])) for head in sorted(by_header, key=place.__getitem__)]


def _in_order(parts: Iterable[Evidence]) -> list[Evidence]:
    """Return conversations one after another, each in order; what lies in none newest first."""
    return sorted(parts, key=lambda each: (each.conversation, each.place if each.conversation else _newest(each)))


def _newest(evidence: Evidence) -> tuple[float, int]:
    return -evidence.place[0], -evidence.place[1]


def _spans(parts: Sequence[Evidence], following: Mapping[int, Neighbours]) -> Iterator[list[Evidence]]:
    """Yield neighbours that follow each other together."""
    number, last = 0, None
    numbered = []
    for each in parts:
        number += last is None or not _follows(last, each, following)
        numbered.append((number, each))
        last = each
    for _, span in groupby(numbered, key=lambda pair: pair[0]):
        yield [each for _, each in span]


def _follows(one: Evidence, other: Evidence, following: Mapping[int, Neighbours]) -> bool:
    if one.key is None or other.key is None or one.passage or other.passage:
        return False
    after = following.get(one.key)
    before = following.get(other.key)
    return (after is not None and after.after[:1] == (other.key,)) or (
        before is not None and before.before[:1] == (one.key,)
    )


def _item(number: int, evidence: Evidence, tokens: int) -> ContextItem:
    return ContextItem(
        number,
        evidence.source,
        evidence.id,
        evidence.uri,
        evidence.title,
        evidence.score,
        tokens,
        evidence.namespace,
        evidence.at,
    )
