"""Chooses what stands in a block: in the order of the ranking, skipping what does not fit.

Of nine ways that were tried on conversations, this one kept the most evidence at 500, 1,000 and 2,000 tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from memory_mcp.context import rendering
from memory_mcp.context.duplicates import newest_of_each, saying
from memory_mcp.context.models import MEMORY, ContextItem, Evidence
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
    is_late: bool
    """Whether the time was over before the room was."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may stand in a block, the best first."""

    ranked: Sequence[Evidence]
    beside: Mapping[int, Sequence[Evidence]] = field(default_factory=dict)
    """The neighbours that the first hits bring along, by the hit's key."""
    following: Mapping[int, Neighbours] = field(default_factory=dict)
    """What stands before and after each, by its key."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that was chosen, as it will be written."""

    evidence: Evidence
    head: str
    lines: Sequence[str]
    cost: int

    @property
    def conversation(self) -> tuple[str, ...]:
        """What it shares a header with: a conversation or document; what was said in none, the day."""
        it = self.evidence
        talk = (it.source, it.namespace, it.heading, it.title, it.conversation)
        return talk if it.conversation else (self.head,)


class _Choice:
    """What was chosen, and what it costs together."""

    def __init__(self, max_tokens: int, is_over: Callable[[], bool], namesakes: frozenset[str]) -> None:
        self._max_tokens = max_tokens
        self._is_over = is_over
        self._namesakes = namesakes
        self._spent = bound(FRAME)
        self._headers = set[tuple[str, str]]()
        self._sayings = set[str]()
        self._keys = set[int]()
        self._misses = 0
        self.chosen: list[_Part] = []
        self.left_out = 0
        self.is_late = False

    def add(self, evidence: Evidence, *, is_hit: bool = True) -> bool:
        """Take a part unless it stands there already; say whether it is there now."""
        if evidence.key is not None and evidence.key in self._keys:
            return True
        if self._is_hopeless(evidence):
            return self._skip(is_hit=is_hit)
        if self.is_late or self._is_over():
            self.is_late = True
            return self._skip(is_hit=is_hit)
        shown = evidence.shown()
        said = saying(shown.text)
        if said in self._sayings:
            return False
        head = rendering.header(shown, has_namesake=shown.title in self._namesakes)
        lines = rendering.lines_of(shown)
        cost = bound(f"{rendering.part(_ANY_NUMBER, lines)}\n")
        header = (head, shown.conversation)  # of a conversation's further days, their date, which costs no more
        under = 0 if header in self._headers else bound(f"{head}\n")
        if self._spent + cost + under > self._max_tokens:
            return self._skip(is_hit=is_hit)
        self._spent += cost + under
        self._misses = 0
        self._headers.add(header)
        self._sayings.add(said)
        self._keys.update(() if evidence.key is None else (evidence.key,))
        self.chosen.append(_Part(shown, head, lines, cost))
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


def pack(candidates: Candidates, max_tokens: int, is_over: Callable[[], bool] = lambda: False) -> Packed:
    """Return the block of what fits; nothing more is looked at once the time is over."""
    ranked = newest_of_each(candidates.ranked)
    choice = _Choice(max_tokens, is_over, _namesakes(ranked))
    for evidence in ranked:
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
    for head, parts in _grouped(choice.chosen):
        written = []
        for span in _spans(parts, following):
            number += 1
            written.append(rendering.part(number, [line for each in span for line in each.lines]))
            items += [_item(number, each) for each in span]
        groups.append((head, written))
    text = rendering.block(groups)
    return Packed(text, bound(text), tuple(items), choice.left_out, choice.is_late)


def _namesakes(ranked: Iterable[Evidence]) -> frozenset[str]:
    """Return the titles that several documents have."""
    of_title: dict[str, set[str]] = {}
    for evidence in ranked:
        if evidence.source != MEMORY and evidence.conversation:
            of_title.setdefault(evidence.title, set()).add(evidence.conversation)
    return frozenset(title for title, documents in of_title.items() if len(documents) > 1)


def _grouped(chosen: Sequence[_Part]) -> list[tuple[str, list[_Part]]]:
    """Return the parts under their headers: the newest first, what has no date last.

    A conversation stands whole and in its own order, where the newest of its parts would.
    """
    units: dict[tuple[str, ...], list[_Part]] = {}
    for number, part in enumerate(chosen):
        alone = () if part.evidence.conversation or part.evidence.at is None else (str(number),)
        units.setdefault((*part.conversation, *alone), []).append(part)
    groups: list[list[_Part]] = []
    for unit in sorted(units.values(), key=lambda parts: min(map(_newest_first, parts))):
        unit.sort(key=lambda part: part.evidence.place)
        if groups and groups[-1][0].conversation == unit[0].conversation:
            groups[-1] += unit
        else:
            groups.append(unit)
    return [(parts[0].head, list(_with_days(parts))) for parts in groups]


def _newest_first(part: _Part) -> tuple[int, int, float, int]:
    it = part.evidence
    return (it.order, 1, 0.0, 0) if it.at is None else (it.order, 0, -it.at.timestamp(), -it.place[1])


def _with_days(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Yield the parts under one header, those that begin another day with its date."""
    today = rendering.day(parts[0].evidence)
    for part in parts:
        day = rendering.day(part.evidence)
        yield part if day == today else replace(part, lines=rendering.of_day(day, part.lines))
        today = day


def _spans(parts: Sequence[_Part], following: Mapping[int, Neighbours]) -> Iterator[list[_Part]]:
    """Yield neighbours that follow each other together."""
    span: list[_Part] = []
    for part in parts:
        if span and not _follows(span[-1].evidence, part.evidence, following):
            yield span
            span = []
        span.append(part)
    if span:
        yield span


def _follows(one: Evidence, other: Evidence, following: Mapping[int, Neighbours]) -> bool:
    if one.key is None or other.key is None or one.passage or other.passage:
        return False
    after, before = following.get(one.key), following.get(other.key)
    follows = after is not None and after.after[:1] == (other.key,)
    return follows or (before is not None and before.before[:1] == (one.key,))


def _item(number: int, part: _Part) -> ContextItem:
    it = part.evidence
    return ContextItem(number, it.source, it.id, it.uri, it.title, it.score, part.cost, it.namespace, it.at)
