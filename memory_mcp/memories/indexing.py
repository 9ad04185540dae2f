"""Turns contents into passages with vectors; what cannot be embedded now goes to the queue."""

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
"""Maximum texts in one call to the embedder: about a quarter of a second on a laptop's CPU."""

MAX_PASSAGES_AT_ONCE: Final = 64
"""A content with more passages is embedded by the queue: the caller would wait too long."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A passage: its text, its start in the content, and the content's head."""

    start: int
    text: str
    head: Head

    @property
    def embedded(self) -> str:
        """The text to embed."""
        return self.head.above(self.start, self.text)

    def consumed(self, item: EmbeddedText) -> int:
        """Return how many characters of the passage the vector covers; below 1 if the head took all the room."""
        return item.consumed_chars - (len(self.embedded) - len(self.text)) if item.truncated else len(self.text)


@dataclass(slots=True)
class EmbeddingProgress:
    """The results for each span so far, and the spans still to embed."""

    done: list[list[Chunk]]
    left: list[tuple[int, TextSpan]]
    space: Space | None = None
    later: list[tuple[int, TextSpan]] = field(default_factory=list)
    """Spans that the embedder refuses for now."""

    @classmethod
    def of(cls, spans: Sequence[TextSpan]) -> EmbeddingProgress:
        return cls([[] for _ in spans], list(enumerate(spans)))

    def take(self, batch: Sequence[tuple[int, TextSpan]], items: Sequence[EmbeddedText], space: Space) -> None:
        """Record the embedder's answer; truncated text is queued again."""
        self.space = space
        for (index, span), item in zip(batch, items, strict=True):
            if item.temporary:
                self.later.append((index, span))
                continue
            consumed = span.consumed(item)
            if consumed < 1 and span.embedded != span.text:  # the head leaves no room: retry without it
                self.left.append((index, replace(span, head=NO_HEAD)))
                continue
            self.done[index].append(Chunk(span.start, span.start + consumed, item.vector, item.error or None))
            if item.truncated and (cut := rest_after(span.text, consumed)) < len(span.text):
                self.left.append((index, replace(span, start=span.start + cut, text=span.text[cut:])))

    def chunks(self, index: int) -> tuple[Chunk, ...]:
        """Return the passages of one span, in order; unfinished ones have no vector."""
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
    """Embed until nothing is left.

    Args:
        embedder: makes the vectors.
        progress: the spans to embed; keeps the finished work even if this raises.
        lane: the priority of the calls.
        budget_s: returns, before each call, the seconds it may take.
        expected_space: the store's space, or None before the first vector.

    Raises:
        EmbedderError: the embedder failed, or the budget is spent.
    """
    while progress.left:
        if (seconds := budget_s()) <= 0:
            raise EmbedderError("the time for embedding ran out", faulty=False)
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
    """Makes the passages of contents, as the policy says, and, if possible now, their vectors."""

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
        """Return the passages of each content without vectors, for the queue."""
        cuts = await self._cut_all(contents)
        return [Embedded(tuple(Chunk(start, end) for start, end in cut), None) for cut in cuts]

    async def embed(
        self, contents: Sequence[str], *, lane: Lane, space: Space | None, read: int | None = MAX_PASSAGES_AT_ONCE
    ) -> tuple[list[Embedded], EmbedderError | None]:
        """Return the passages of each content, and the error if some got no vector in time.

        The budget covers everything in the interactive lane, and each call in the bulk lane. A content with more
        passages than `read` is left for the queue; None is no limit.
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
            failure = error.with_traceback(None)  # which would keep the contents until the next collection of garbage
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
