"""One `Embed` call: checks the request, tokenises, queues, and assembles the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from embedder_api.v1 import embedder_pb2
from embedder_api.v1.contract import MAX_TEXTS, ItemError

from embedder_daemon import logs
from embedder_daemon.engines.base import SHORT, EmbedTask, Encoded, Engine, EngineFacts
from embedder_daemon.errors import DeadlineError, InvalidRequestError, WrongSpaceError
from embedder_daemon.runtime.lifecycle import Lifecycle
from embedder_daemon.scheduler.cache import Cache, CachedVector, keys
from embedder_daemon.scheduler.packing import QueueLane
from embedder_daemon.scheduler.scheduler import Outcome, Scheduler
from embedder_daemon.scheduler.worker import Worker, contained
from embedder_daemon.stats import Stats
from embedder_daemon.system import heap
from memory_common import tracing
from memory_common.log_lines import CONTENT

_LANES: Final = {
    embedder_pb2.LANE_UNSPECIFIED: QueueLane.INTERACTIVE,
    embedder_pb2.LANE_INTERACTIVE: QueueLane.INTERACTIVE,
    embedder_pb2.LANE_BULK: QueueLane.BULK,
}
_TASKS: Final = {
    embedder_pb2.TASK_UNSPECIFIED: EmbedTask.DOCUMENT,
    embedder_pb2.TASK_QUERY: EmbedTask.QUERY,
    embedder_pb2.TASK_DOCUMENT: EmbedTask.DOCUMENT,
}
_SENTENCES: Final = {
    ItemError.EMPTY: "the text is empty or blank",
    ItemError.FAILED: "the model could not compute this text; see the daemon's log",
    ItemError.NOT_FINITE: "the model's vector is not finite or is zero",
    ItemError.QUARANTINED: "the daemon died twice while computing this text, and does not try it again for some days",
}
LARGE: Final = 1 << 20
"""Characters of a call after which free memory is returned to the system."""
_GIVE_BACK_S: Final = 1.0  # seconds after the answer, when the call's own copies are gone
_NOTHING: Final = Outcome([], 0.0, 0.0)
_TOKENISERS: Final = 2  # threads per lane: one long text must not delay the others


@dataclass(frozen=True, slots=True)
class _Request:
    """A checked `EmbedRequest`; `deadline` is on time.monotonic."""

    texts: Sequence[str]
    lane: QueueLane
    task: EmbedTask
    truncate: bool
    expected_space_id: str
    client: str
    deadline: float
    characters: int


@dataclass(slots=True)
class _TextResult:
    """One text on its way to a vector or an error."""

    text: str
    key: bytes
    """Digest of everything that its vector depends on."""
    known: CachedVector | None = None
    cached: bool = False
    encoded: Encoded | None = None
    error: str = ""

    @property
    def open(self) -> bool:
        """Whether it must be computed."""
        return self.known is None and not self.error


class EmbedCalls:
    """Answers `Embed`."""

    def __init__(self, lifecycle: Lifecycle, scheduler: Scheduler, stats: Stats, cache: Cache) -> None:
        self._lifecycle = lifecycle
        self._scheduler = scheduler
        self._stats = stats
        self._cache = cache
        self._tokenisers = {lane: Worker(f"tokenise-{lane}", _TOKENISERS) for lane in QueueLane}

    def close(self, timeout_s: float) -> bool:
        """Let the tokenising threads end; return whether they did within the time."""
        closed = [worker.close(timeout_s) for worker in self._tokenisers.values()]
        return all(closed)

    async def answer(self, message: embedder_pb2.EmbedRequest, deadline: float) -> embedder_pb2.EmbedResponse:
        """Return vectors and items for the texts of a request.

        Raises:
            RequestError: the request as a whole is invalid or cannot be served.
        """
        request = _checked(message, deadline)
        try:
            return await self._answered(request)
        finally:
            if request.characters > LARGE:
                asyncio.get_running_loop().call_later(_GIVE_BACK_S, heap.give_back)

    async def _answered(self, request: _Request) -> embedder_pb2.EmbedResponse:
        started = time.monotonic()
        facts = self._lifecycle.facts if self._lifecycle.state.healthy else None
        items = self._items(facts, request, admitted=False) if facts else []
        if facts is None or any(item.open for item in items):
            response = await self._computed(request, facts, items)
        else:  # without queueing or waking the engine
            self._stats.count_request(request.lane, len(items))
            response = self._response(facts, items, _NOTHING)
        response.timing.total_us = _us(time.monotonic() - started)
        _tell(request, response)
        return response

    async def _computed(
        self, request: _Request, facts: EngineFacts | None, items: list[_TextResult]
    ) -> embedder_pb2.EmbedResponse:
        """Compute what is not in the cache; `items` were looked up for `facts`, if any."""
        with self._scheduler.admission.hold(len(request.texts), request.characters):
            self._stats.count_request(request.lane, len(request.texts))
            async with self._lifecycle.engine(request.deadline) as engine:
                if engine.facts is not facts:  # loaded or reloaded in the meantime
                    items = self._items(engine.facts, request, admitted=True)
                with tracing.child("tokenise"):
                    await self._encode(engine, request, [item for item in items if item.open])
                wanted = [item for item in items if item.open]
                outcome = await self._scheduler.submit(
                    [cast(Encoded, item.encoded) for item in wanted],
                    keys=[item.key for item in wanted],
                    lane=request.lane,
                    client=request.client,
                    deadline=request.deadline,
                )
                _trace(outcome, request.lane)
                self._fill(wanted, outcome)
        self._stats.cache_misses += len(wanted)
        return self._response(engine.facts, items, outcome)

    def _response(self, facts: EngineFacts, items: list[_TextResult], outcome: Outcome) -> embedder_pb2.EmbedResponse:
        self._stats.cache_hits += sum(item.cached for item in items)
        self._stats.item_errors += sum(bool(item.error) for item in items)
        self._stats.quarantined += sum(item.error.startswith(ItemError.QUARANTINED) for item in items)
        return _response(facts, items, outcome)

    def _items(self, facts: EngineFacts, request: _Request, *, admitted: bool) -> list[_TextResult]:
        """Look the texts up; blank ones get an error.

        Raises:
            WrongSpaceError: another space is expected.
            OverloadedError: a text must be computed and there is no room; later texts are not even hashed.
        """
        _check_space(facts, request.expected_space_id)
        digests = keys(facts.space.space_id, request.task, request.texts, truncate=request.truncate)
        items = []
        for text, key in zip(request.texts, digests, strict=True):
            item = _TextResult(text, key)
            items.append(item)
            if not item.text.strip():
                item.error = _error(ItemError.EMPTY)
            elif known := self._cache.get(item.key):
                item.known, item.cached = known, True
            elif self._scheduler.quarantine.refuses(item.key):
                item.error = _error(ItemError.QUARANTINED)
            elif not admitted:
                self._scheduler.admission.check(len(request.texts), request.characters)
        return items

    async def _encode(self, engine: Engine, request: _Request, items: list[_TextResult]) -> None:
        """Tokenise, off the event loop unless the texts are short; texts that are too long get an error."""
        if not items:
            return
        texts = [item.text for item in items]
        if sum(map(len, texts)) <= SHORT:
            encoded = contained(partial(engine.encode, texts, request.task))
        else:
            encoded = await self._tokenisers[request.lane].run(engine.encode, texts, request.task)
        _check_deadline(request.deadline)
        for item, tokens in zip(items, encoded, strict=True):
            item.encoded = tokens
            if tokens.truncated and not request.truncate:
                item.error = _too_long(tokens.token_count, engine.facts.max_tokens)

    def _fill(self, items: list[_TextResult], outcome: Outcome) -> None:
        """Give each computed item its vector, which goes into the cache, or its error."""
        for item, result in zip(items, outcome.rows, strict=True):
            if isinstance(result, ItemError):
                item.error = _error(result)
                continue
            encoded = cast(Encoded, item.encoded)
            item.known = CachedVector(result, encoded.token_count, encoded.truncated, encoded.consumed_chars)
            self._cache.put(item.key, item.known)


def _trace(outcome: Outcome, lane: QueueLane) -> None:
    """Record how long the texts waited for the first pass, and each pass; between passes they waited again."""
    if outcome.passes:
        tracing.past("queue", outcome.submitted, outcome.passes[0].began, lane=lane.value)
    for each in outcome.passes:
        tracing.past("forward pass", each.began, each.began + each.seconds, rows=each.rows)


def _tell(request: _Request, response: embedder_pb2.EmbedResponse) -> None:
    """Log an answer, for following one request."""
    logs.of_call().debug(
        "embedded",
        client=request.client,
        lane=request.lane,
        texts=len(request.texts),
        cached=sum(item.cached for item in response.items),
        ms=response.timing.total_us / 1000,
        **{CONTENT: request.texts},
    )


def _checked(message: embedder_pb2.EmbedRequest, deadline: float) -> _Request:
    """Convert and check the request; raises InvalidRequestError or DeadlineError."""
    if not 1 <= len(message.texts) <= MAX_TEXTS:
        raise InvalidRequestError(f"a request may have 1 to {MAX_TEXTS} texts, but this one has {len(message.texts)}")
    if message.lane not in _LANES:
        raise InvalidRequestError(f"there is no lane {message.lane}")
    if message.task not in _TASKS:
        raise InvalidRequestError(f"there is no task {message.task}")
    _check_deadline(deadline)
    return _Request(
        texts=list(message.texts),
        lane=_LANES[message.lane],
        task=_TASKS[message.task],
        truncate=message.truncate,
        expected_space_id=message.expected_space_id,
        client=message.client,
        deadline=deadline,
        characters=sum(map(len, message.texts)),
    )


def _check_deadline(deadline: float) -> None:
    if deadline <= time.monotonic():
        raise DeadlineError("the deadline passed before the texts were computed")


def _check_space(facts: EngineFacts, expected: str) -> None:
    served = facts.space.space_id
    if expected and expected != served:
        raise WrongSpaceError(f"the daemon serves the space {served!r}, but the caller expects {expected!r}")


def _response(facts: EngineFacts, items: list[_TextResult], outcome: Outcome) -> embedder_pb2.EmbedResponse:
    return embedder_pb2.EmbedResponse(
        vectors=b"".join(item.known.vector for item in items if item.known),
        dimensions=facts.space.dimensions,
        items=[_message(item) for item in items],
        space_id=facts.space.space_id,
        timing=embedder_pb2.EmbedResponse.Timing(queue_us=_us(outcome.queue_s), compute_us=_us(outcome.compute_s)),
    )


def _message(item: _TextResult) -> embedder_pb2.EmbedResponse.Item:
    if item.known is None:
        return embedder_pb2.EmbedResponse.Item(
            token_count=item.encoded.token_count if item.encoded else 0, error=item.error
        )
    return embedder_pb2.EmbedResponse.Item(
        token_count=item.known.token_count,
        truncated=item.known.truncated,
        consumed_chars=item.known.consumed_chars,
        cached=item.cached,
    )


def _error(code: ItemError) -> str:
    return f"{code}: {_SENTENCES[code]}"


def _too_long(tokens: int, max_tokens: int) -> str:
    return f"{ItemError.TOO_LONG}: the text has {tokens} tokens, but max_tokens is {max_tokens}"


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
