"""From contents to passages with vectors; what cannot be embedded now is left for the queue."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Chunk, Embedded, EmbeddedText, Lane, Space, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, NO_HEAD, ChunkPolicy, Head, head_of, rest_after, split

TEXTS_PER_CALL: Final = 64
"""Texts in one call to the embedder: about a quarter of a second of work on a laptop's processor."""

MAX_PASSAGES_AT_ONCE: Final = 64
"""A content of more passages is stored at once and embedded by the queue: it would not fit a caller's patience."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A passage's text, where it begins in its content, and the content's head."""

    start: int
    text: str
    head: Head

    @property
    def embedded(self) -> str:
        """What is embedded for it."""
        return self.head.above(self.start, self.text)

    def consumed(self, item: EmbeddedText) -> int:
        """Return how many characters of the passage the vector has seen; below 1 when the head took all room."""
        return item.consumed_chars - (len(self.embedded) - len(self.text)) if item.truncated else len(self.text)


@dataclass(slots=True)
class EmbeddingProgress:
    """What became of each span so far, and what is left of them."""

    done: list[list[Chunk]]
    left: list[tuple[int, TextSpan]]
    space: Space | None = None
    later: list[tuple[int, TextSpan]] = field(default_factory=list)
    """What the embedder refuses for the time being."""

    @classmethod
    def of(cls, spans: Sequence[TextSpan]) -> EmbeddingProgress:
        """Begin."""
        return cls([[] for _ in spans], list(enumerate(spans)))

    def take(self, batch: Sequence[tuple[int, TextSpan]], items: Sequence[EmbeddedText], space: Space) -> None:
        """Note the embedder's answer; what it cut off comes again."""
        self.space = space
        for (index, span), item in zip(batch, items, strict=True):
            if item.temporary:
                self.later.append((index, span))
                continue
            seen = span.consumed(item)
            if seen < 1 and span.embedded != span.text:  # the head leaves no room
                self.left.append((index, replace(span, head=NO_HEAD)))
                continue
            self.done[index].append(Chunk(span.start, span.start + seen, item.vector, item.error or None))
            if item.truncated and (cut := rest_after(span.text, seen)) < len(span.text):
                self.left.append((index, replace(span, start=span.start + cut, text=span.text[cut:])))

    def chunks(self, index: int) -> tuple[Chunk, ...]:
        """Return the passages of one span, in order; what is left, or is for later, has no vector."""
        undone = [*self.left, *self.later]
        left = [Chunk(s.start, s.start + len(s.text)) for owner, s in undone if owner == index]
        return tuple(sorted([*self.done[index], *left], key=lambda passage: passage.start))


async def embed_spans(
    embedder: Embedder,
    progress: EmbeddingProgress,
    *,
    lane: Lane,
    budget_s: Callable[[], float],
    expected_space: str | None,
) -> None:
    """Embed what is left until nothing is.

    Args:
        embedder: whom to ask.
        progress: what is to be done; it holds what was done even when this raises.
        lane: who waits.
        budget_s: tells before each call how many seconds it may take.
        expected_space: the store's space, or None before the first vector.

    Raises:
        EmbedderError: no vectors could be had, or the budget is spent.
    """
    while progress.left:
        if (seconds := budget_s()) <= 0:
            raise EmbedderError("the time for vectors is spent", faulty=False)
        batch = progress.left[:TEXTS_PER_CALL]
        embedding = await embedder.embed(
            [span.embedded for _, span in batch],
            task=Task.DOCUMENT,
            lane=lane,
            budget_s=seconds,
            expected_space=progress.space.id if progress.space else expected_space,
        )
        del progress.left[: len(batch)]
        progress.take(batch, embedding.items, embedding.space)


class Indexer:
    """Gives contents their passages, which the policy tells, and, where that is possible now, vectors."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        interactive_budget_s: float,
        bulk_budget_s: float,
        policy: ChunkPolicy = DEFAULT_CHUNKS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._interactive_budget_s = interactive_budget_s
        self._bulk_budget_s = bulk_budget_s
        self._policy = policy
        self._clock = clock

    async def cut(self, contents: Sequence[str]) -> list[Embedded]:
        """Return the passages of each content, all of them for the queue."""
        cuts = await self._cut_all(contents)
        return [Embedded(tuple(Chunk(start, end) for start, end in cut), None) for cut in cuts]

    async def embed(
        self, contents: Sequence[str], *, lane: Lane, space: Space | None, read: int | None = MAX_PASSAGES_AT_ONCE
    ) -> tuple[list[Embedded], EmbedderError | None]:
        """Return the passages of each content, and why some of them got no vector in time, if that is so.

        In the interactive lane the budget is for all of it, in the bulk lane for each call. A content of more
        passages than `read` is left for the queue; None is no bound.
        """
        cuts = await self._cut_all(contents)
        bound = read or sys.maxsize
        owners = [i for i, cut in enumerate(cuts) if len(cut) <= bound for _ in cut]
        spans = [
            TextSpan(start, content[start:end], head)
            for content, cut in zip(contents, cuts, strict=True)
            if len(cut) <= bound
            for head in [head_of(content, self._policy)]
            for start, end in cut
        ]
        progress = EmbeddingProgress.of(spans)
        failure: EmbedderError | None = None
        try:
            await embed_spans(
                self._embedder,
                progress,
                lane=lane,
                budget_s=self._budget(lane),
                expected_space=space.id if space else None,
            )
        except EmbedderError as error:
            failure = error
        embedded: list[list[Chunk]] = [[] for _ in contents]
        for index, owner in enumerate(owners):
            embedded[owner].extend(progress.chunks(index))
        complete = [
            Embedded(tuple(found or (Chunk(start, end) for start, end in cut)), progress.space)
            for found, cut in zip(embedded, cuts, strict=True)
        ]
        return complete, failure

    async def _cut_all(self, contents: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Cut contents; one passage takes less time than a change of threads, and is cut here."""
        if sum(map(len, contents)) <= self._policy.chars:
            return self._split_all(contents)
        return await asyncio.to_thread(self._split_all, contents)

    def _split_all(self, contents: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [split(content, self._policy) for content in contents]

    def _budget(self, lane: Lane) -> Callable[[], float]:
        if lane is Lane.BULK:
            return lambda: self._bulk_budget_s
        end = self._clock() + self._interactive_budget_s
        return lambda: end - self._clock()
