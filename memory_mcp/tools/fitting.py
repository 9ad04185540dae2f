"""Fits the memories of an answer into less than 10,000 tokens.

Uninformative fields are dropped first. Then conversation, tags and metadata are cut to an equal share for each memory,
and the contents share what is left. Only if that is not enough are the last memories left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Generic, Literal, TypeVar

from pydantic_core import to_json

from memory_mcp.tools.fields import MARK, MemoryFields, Shown
from memory_mcp.tools.sizes import CAUTION, LIMIT, count_fitting, fitting, shared, tokens

RESERVE: Final = 300
"""Tokens reserved for the rest of an answer: totals, notes, the reason why it is degraded."""
ROOM: Final = int(CAUTION * (LIMIT - RESERVE))
"""Tokens for contents or ids in an answer that has nothing else."""
MEMBER: Final = 4
"""Tokens of a field's name in JSON with its punctuation, counted with the tokenizer that `sizes` names."""
SMALL: Final = 3
"""A memory whose JSON takes a third of its share of the room is small: nothing of it is shortened, since its heading,
its members and its content each take at most as much as its JSON, and its tags get half of what the others leave."""
OVERHEAD: Final = 150
"""Tokens of the names and separators of a memory's fields that its JSON may not have."""
LEAST: Final = 20
"""Minimum tokens for each memory's content, and again for its tags and metadata, before fields are left out."""

_ALWAYS: Final = frozenset({"id", "content", "created_at", "score"})
_FRACTION: Final = re.compile(r"\.\d+")
_EXPLAINS: Final = frozenset({"semantic", "keyword"})
_STEPS: Final[tuple[Literal[0, 1, 2], ...]] = (0, 1, 2)
_SAID_IF_ANY: Final = frozenset({"conversation_id", "duplicates"})

ShownT = TypeVar("ShownT", bound=Shown)


@dataclass(frozen=True, slots=True)
class Measure:
    """How the size of contents is measured."""

    of: Callable[[str], int]
    fitting: Callable[[str, int], int]
    """Returns how many leading characters of a text fit a limit."""
    is_exact: bool
    """Whether only the content counts, not the passage beside it."""


TOKENS: Final = Measure(tokens, fitting, is_exact=False)
CHARACTERS: Final = Measure(len, lambda text, limit: min(len(text), limit), is_exact=True)

Cut = Callable[[ShownT, int, Measure], ShownT]
"""Returns the memory with its content cut to the limit, by the measure."""


@dataclass(frozen=True, slots=True)
class Fitted(Generic[ShownT]):
    """The memories that fit."""

    memories: list[ShownT]
    left_out: int = 0
    """Number of memories left out at the end."""

    @property
    def shortened(self) -> int:
        """Number of shortened memories."""
        return sum(memory.shortened for memory in self.memories)


def fit(
    memories: Sequence[ShownT],
    cut: Cut[ShownT],
    *,
    max_chars: int | None = None,
    reserve: int = RESERVE,
    only_contents: bool = False,
) -> Fitted[ShownT]:
    """Shorten memories until they fit; leave out the last ones if they do not fit even without content.

    Args:
        memories: most important first.
        cut: shortens one memory.
        max_chars: characters of content in total, instead of what the token limit leaves.
        reserve: tokens for the rest of the answer.
        only_contents: shorten nothing but contents, whatever the rest costs.
    """
    if max_chars is None and not only_contents and _are_small(memories, LIMIT - reserve):
        return Fitted(list(memories))
    if only_contents:
        kept = list(memories)
        spent = 0
    else:
        lean = _without_bulk(memories, LIMIT - reserve)
        costs = list(accumulate(map(_cost_without_content, lean)))
        kept = lean[: max(1, bisect_right(costs, LIMIT - reserve))]
        spent = costs[len(kept) - 1] if kept else 0
    measure, room = TOKENS, int(CAUTION * (LIMIT - reserve - spent))
    if max_chars is not None:
        measure, room = CHARACTERS, max_chars
    needs = [_need(memory, measure) for memory in kept]
    shares = shared(needs, room)
    shown = [
        memory if share == want else cut(memory, share, measure)
        for memory, want, share in zip(kept, needs, shares, strict=True)
    ]
    return Fitted(shown, len(memories) - len(kept))


def _are_small(memories: Sequence[Shown], room: int) -> bool:
    """Say whether all memories certainly fit as they are; it takes a fifth of the time of measuring each field."""
    each = room // max(1, len(memories))
    return all(SMALL * tokens(memory.model_dump_json()) + OVERHEAD <= each for memory in memories)


def from_beginning(memory: ShownT, limit: int, measure: Measure) -> ShownT:
    """Shorten a content by cutting off its end."""
    start = memory.content[: measure.fitting(memory.content, limit)]
    return memory.model_copy(update={"content": start, "shortened": True})


def brief(members: Mapping[str, object], detail: Literal[0, 1, 2]) -> dict[str, object]:
    """Return a memory's fields: all (0), without explanatory ones (1), or only those with information (2)."""
    if detail == 0:
        return dict(members)
    is_last = detail == _STEPS[-1]
    usual = {"type": "note", "updated_at": members.get("created_at")}
    informative = {
        name: value
        for name, value in members.items()
        if name in _ALWAYS
        or not (
            name in _EXPLAINS
            or (value in (None, [], {}) and (is_last or name in _SAID_IF_ANY))
            or (is_last and value == usual.get(name, MARK))
        )
    }
    dates = informative.keys() & {"created_at", "updated_at"}
    times = {name: _FRACTION.sub("", str(informative[name])) for name in dates}
    return informative | times


def _need(memory: Shown, measure: Measure) -> int:
    return measure.of(memory.content) + (0 if measure.is_exact else measure.of(memory.passage_shown or ""))


def _cost_without_content(memory: Shown) -> int:
    dumped = memory.model_dump(mode="json", exclude={"content", "passage"})
    members = brief(dumped, memory.detail).values()
    cost = sum(MEMBER + tokens(value if isinstance(value, str) else to_json(value).decode()) for value in members)
    return 2 * MEMBER + max(cost, tokens(memory.heading()))


def _without_bulk(memories: Sequence[ShownT], room: int) -> list[ShownT]:
    """Return the memories with conversation, tags and metadata cut to the room, or to half of each one's share."""
    detail = next((step for step in _STEPS[:-1] if _least(memories, step) <= room), _STEPS[-1])
    each = room // max(1, len(memories))
    return [_lean(_with_detail(memory, detail), each) for memory in memories]


def _with_detail(memory: ShownT, detail: Literal[0, 1, 2]) -> ShownT:
    return memory if memory.detail == detail else memory.model_copy(update={"detail": detail})


def _least(memories: Sequence[Shown], detail: Literal[0, 1, 2]) -> int:
    """Return the tokens of the memories at this detail, with a minimum of content, tags and metadata."""
    return sum(
        _cost_without_content(memory.model_copy(update=_emptied(memory) | {"detail": detail}))
        + min(LEAST, tokens(memory.content))
        + min(LEAST, _cost_of(memory.tags) + (tokens(to_json(memory.metadata).decode()) if memory.metadata else 0))
        for memory in memories
    )


def _emptied(memory: Shown) -> dict[str, object]:
    """Return the fields that may be shortened, emptied."""
    bare: dict[str, object] = {"tags": [], "metadata": {}}
    return bare | {"conversation_id": None} if isinstance(memory, MemoryFields) else bare


def _lean(memory: ShownT, most: int) -> ShownT:
    """Return a memory whose conversation, tags and metadata leave room for content within `most` tokens."""
    bare = _emptied(memory)
    conversation = memory.conversation_id if isinstance(memory, MemoryFields) else None
    room = max(0, most - _cost_without_content(memory.model_copy(update=bare)))
    share = room - min(room // 2, tokens(memory.content))
    cost = MEMBER + tokens(conversation) if conversation is not None else 0
    if cost <= share:
        bare.pop("conversation_id", None)
        share -= cost
    tags = first_of(memory.tags, share // 2)
    metadata = _members(memory.metadata, share - _cost_of(tags))
    if "conversation_id" not in bare and tags is memory.tags and metadata is memory.metadata:
        return memory
    if memory.detail == _STEPS[-1]:  # a mark costs as much as what it stands for
        tags = [tag for tag in tags if tag != MARK]
        metadata = {name: value for name, value in metadata.items() if name != MARK}
    return memory.model_copy(update={**bare, "tags": tags, "metadata": metadata, "shortened": True})


def _cost_of(texts: Sequence[str]) -> int:
    return sum(MEMBER + tokens(text) for text in texts)


def first_of(texts: list[str], limit: int) -> list[str]:
    """Return the texts if they fit `limit` tokens, else the first that fit and a mark for the rest."""
    fits = count_fitting(texts, limit - MEMBER, each=MEMBER)
    return texts if fits == len(texts) else [*texts[:fits], MARK]


def start_of(text: str, size: int) -> str:
    """Return the text if it has at most so many characters and tokens, else its beginning and a mark."""
    fits = min(size, fitting(text, size))
    return text if fits >= len(text) else text[: max(0, fits - 1)] + MARK


def _members(metadata: Mapping[str, object], limit: int) -> Mapping[str, object]:
    """Return the metadata if it fits `limit` tokens, else the smallest entries that fit and a mark for the rest."""
    costs = {name: tokens(name) + MEMBER + tokens(to_json(value).decode()) for name, value in metadata.items()}
    order = sorted(costs, key=costs.__getitem__)
    spent = dict(zip(order, accumulate(costs[name] for name in order), strict=True))
    fits = {name: value for name, value in metadata.items() if spent[name] + MEMBER <= limit}
    return metadata if len(fits) == len(metadata) else fits | {MARK: f"{len(metadata) - len(fits)} more"}
